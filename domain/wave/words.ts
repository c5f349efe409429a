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

/** In the order in which a wave comes to them. */
export function isBefore(phase: WavePhase, other: WavePhase): boolean {
  return wavePhases.indexOf(phase) < wavePhases.indexOf(other);
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

/**
 * Why an item was not staged. Its source has changed since it was listed, and the next wave takes it as it is by then: nobody
 * is asked about it.
 */
export const lostReasons = ['source_gone', 'too_large'] as const;
export type LostReason = (typeof lostReasons)[number];

/** What a person may say to a wave that runs. */
export const waveCommands = ['approve', 'pause', 'resume', 'cancel', 'retry', 'complete'] as const;
export type WaveCommand = (typeof waveCommands)[number];

/** Why a wave was started; `again`: to follow one that ran when somebody asked. */
export const waveTriggers = ['operator', 'agent', 'schedule', 'webhook', 'again'] as const;
export type WaveTrigger = (typeof waveTriggers)[number];
