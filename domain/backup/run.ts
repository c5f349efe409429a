import type { NewCheck } from '../evidence.ts';
import type { BackupRequest, PruneRequest, ValidateRequest } from './schemas.ts';
import type { BackupPhase, BackupTrigger } from './words.ts';

/** Who asked for a run of the backup pipeline, and where it works. References only, never contents. */
export interface BackupRunInput<Request> {
  readonly backup_id: string;
  /** Where points are kept. */
  readonly box: string;
  readonly actor: string;
  readonly trigger: BackupTrigger;
  readonly request: Request;
}

export interface BackupInput extends BackupRunInput<BackupRequest> {
  /** Of a restore that holds the data lock and has its safety point made under it. */
  readonly within?: { readonly lock_token: string };
}

export interface ValidateInput extends BackupRunInput<ValidateRequest> {
  readonly stamp: string;
}

export type PruneInput = BackupRunInput<PruneRequest>;

/** A run, as its activities know it. */
export interface BackupReference {
  readonly backup_id: string;
  /** Fencing: of the lock that the run holds; null where it changes nothing that one guards. */
  readonly lock_token: string | null;
}

/** The id of the run is the lock of its subject: two backups of a box's data cannot run at once. */
export const backupWorkflowId = 'backup';
export const pruneWorkflowId = 'prune';

export function validateWorkflowId(stamp: string): string {
  return `validate/${stamp}`;
}

/** Held shared by whatever uses a point, exclusively by what takes it away. */
export function pointLock(stamp: string): string {
  return `point/${stamp}`;
}

/** G7: what a run pins is released by this name, whatever became of the attempt that pinned it. */
export function pinOwner(backupId: string): string {
  return `backup/${backupId}`;
}

export type BackupEvidence = NewCheck<BackupPhase>;
