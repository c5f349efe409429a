/** Row W5. `trusted_operational`: curated views, each named by an operator. */
export const waveKinds = ['corpus', 'trusted_operational'] as const;
export type WaveKind = (typeof waveKinds)[number];

/** Prepare: list, plan, approve, stage. Apply: write. Prove: prove, canary. Keep or put back: commit, discard. */
export const wavePhases = [
  'requested',
  'lock',
  'list',
  'plan',
  'approve',
  'stage',
  'write',
  'attention',
  'prove',
  'canary',
  'commit',
  'discard',
  'closed',
] as const;
export type WavePhase = (typeof wavePhases)[number];

/** From `write` on a generation may be there, which is committed or discarded. */
export function mayHaveWritten(phase: WavePhase): boolean {
  return (['write', 'attention', 'prove', 'canary', 'commit', 'discard'] as const).some((each) => each === phase);
}

export const waveOutcomes = [
  /** Visible, all of it. */
  'committed',
  /** Visible, without what an operator declared to do without. */
  'committed_partial',
  /** The store holds what the source holds. */
  'nothing_to_do',
  /** A plan was all that was asked for, or all that is allowed while the project is held. */
  'planned',
  /** Applied and not proved: nothing of it can be seen. */
  'discarded',
  'cancelled',
  /** Before anything was written. */
  'refused',
] as const;
export type WaveOutcome = (typeof waveOutcomes)[number];

/** What a person may say to a wave that runs. */
export const waveCommands = ['approve', 'pause', 'resume', 'cancel', 'retry', 'complete'] as const;
export type WaveCommand = (typeof waveCommands)[number];

/** Why a wave was started: who pushed may not do what an operator may. */
export const waveTriggers = ['operator', 'agent', 'schedule', 'webhook', 'again'] as const;
export type WaveTrigger = (typeof waveTriggers)[number];
