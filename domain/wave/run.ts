import type { NewCheck } from '../evidence.ts';
import type { WaveRequest } from './schemas.ts';
import type { WaveCommand, WavePhase, WaveTrigger } from './words.ts';

/** What a wave is started with: references only, never contents. */
export interface WaveInput {
  readonly wave_id: string;
  readonly project: string;
  readonly actor: string;
  readonly trigger: WaveTrigger;
  readonly request: WaveRequest;
  /** Set when the history was cut in the middle of writing. What is done by then are rows. */
  readonly resumed?: ResumedWave;
}

/** What a run hands on to the one that goes on for it. */
export interface ResumedWave {
  readonly generation: WaveGeneration;
  readonly box: string;
  readonly paused: boolean;
  /** Who asked for one more wave behind this one; null: nobody. */
  readonly again: string | null;
  /** Checks that were made more than once are numbered. */
  readonly rechecks: number;
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

/** What a push, a schedule and a wave that follows another one ask for. */
export const plainRefresh: WaveRequest = {
  name: 'refresh',
  kind: 'corpus',
  dry_run: false,
  retry_quarantined: false,
  reembed: false,
};

/** How many documents an activity writes: a batch is these of `wave_items.seq`. */
export const batchDocuments = 64;

/** A command of a person, on its way to the run. The run's id is the project's, so it says which wave is meant. */
export interface WaveCommandMessage {
  readonly wave_id: string;
  readonly command: WaveCommand;
  readonly actor: string;
  readonly reason?: string;
}

/** The outcome of a check of a wave, on its way into the records. */
export type WaveEvidence = NewCheck<WavePhase>;

export const waveCommandUpdate = 'wave_command';
export const waveCommandSignal = 'wave_command';
/** A refresh that came while a wave runs: another one follows it, so that no push is lost. Says who asked. */
export const againSignal = 'again';
