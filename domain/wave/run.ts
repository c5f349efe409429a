import type { WaveRequest } from './schemas.ts';
import type { WaveCommand, WavePhase } from './words.ts';

/** What a wave is started with: references only, never contents. */
export interface WaveInput {
  readonly wave_id: string;
  readonly project: string;
  /** Where its sources are and its inputs are staged. */
  readonly box: string;
  readonly actor: string;
  readonly request: WaveRequest;
  /** Set when the history was cut: the generation that is being written, and what was said meanwhile. The rest are rows. */
  readonly resumed?: { readonly generation: WaveGeneration; readonly paused: boolean; readonly again: boolean };
}

/** A wave, as its activities know it. */
export interface WaveReference {
  readonly wave_id: string;
  readonly project: string;
  /** generations.md, G4: of the database that the wave began in. */
  readonly incarnation: string;
  /** Fencing (G9): of the lock that the run holds. */
  readonly lock_token: string;
}

export interface WaveGeneration {
  readonly number: number;
  readonly incarnation: string;
}

/** The id of the run is the lock of its subject: two waves of a project cannot run at once. */
export function waveWorkflowId(project: string): string {
  return `wave/${project}`;
}

/** How many documents an activity writes: a batch is these of `wave_items.seq`. */
export const batchDocuments = 64;

/** A command of a person, on its way to the run. */
export interface WaveCommandMessage {
  readonly command: WaveCommand;
  readonly actor: string;
  readonly reason?: string;
}

/** The outcome of a check of a wave, on its way into the records. */
export interface WaveEvidence {
  readonly check: string;
  readonly phase: WavePhase;
  readonly ok: boolean;
  readonly reason: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

export const waveCommandUpdate = 'wave_command';
export const waveCommandSignal = 'wave_command';
/** A refresh that came while a wave runs: another one follows it, so that no push is lost. */
export const againSignal = 'again';
