import type { NewCheck } from '../evidence.ts';
import type { RestoreRequest } from './schemas.ts';
import type { RestoreCommand, RestorePhase, RestoreTrigger } from './words.ts';

/** What a restore is started with: references only, never contents. */
export interface RestoreInput {
  readonly restore_id: string;
  readonly stamp: string;
  /** Where the point is and the folders are. */
  readonly box: string;
  readonly actor: string;
  readonly trigger: RestoreTrigger;
  readonly request: RestoreRequest;
}

/** A restore, as its activities know it. */
export interface RestoreReference {
  readonly restore_id: string;
  readonly stamp: string;
  /** Fencing: of the lock on the data; null where nothing is changed that it guards. */
  readonly lock_token: string | null;
}

/** The id of the run is the lock: one restore at a time, also while one is held, so that none takes away another's old side. */
export const restoreWorkflowId = 'restore';

/** By this a restore knows that a pin is its own, and not of somebody who wants to keep the point. */
export function safetyPinReason(restoreId: string): string {
  return `safety point of restore ${restoreId}`;
}

export interface RestoreCommandMessage {
  readonly restore_id: string;
  readonly command: RestoreCommand;
  readonly actor: string;
}

/** The outcome of a check of a restore, on its way into the records. */
export type RestoreEvidence = NewCheck<RestorePhase>;

export const restoreCommandUpdate = 'restore_command';
export const restoreCommandSignal = 'restore_command';

/** A file set of the point that is to be restored. */
export interface WantedSet {
  readonly name: string;
  /** Whose files these are; null: Holdfast's own. */
  readonly service: string | null;
}
