import type { RunOfLock } from '../domain/lock.ts';
import type { RestoreInput, RestoreReference, WantedSet } from '../domain/restore/run.ts';
import type { RestoreControl } from './restore-commands.ts';
import type { RestoreJournal } from './restore-journal.ts';

/** What the steps of one restore share. */
export interface RestoreRun {
  readonly input: RestoreInput;
  readonly lockedBy: RunOfLock;
  readonly journal: RestoreJournal;
  readonly control: RestoreControl;
  /** With the token of the lock that is held now. */
  ref: RestoreReference;
  /** The file sets whose folders are replaced. */
  sets: readonly WantedSet[];
}
