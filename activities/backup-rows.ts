import type { BackupEntry, BackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { EventStore, NewEvent } from '../adapters/postgres/events.ts';
import type { RunOfLock } from '../domain/lock.ts';
import type { PinStore } from '../adapters/postgres/pins.ts';
import type { BackupRunInput } from '../domain/backup/run.ts';
import type { BackupKind } from '../domain/backup/words.ts';

export interface BackupRowDeps {
  readonly backupRuns: Pick<BackupRunStore, 'open' | 'record'>;
  readonly events: EventStore;
  readonly pins: Pick<PinStore, 'unpin'>;
  /** Points came or went: copies elsewhere follow. */
  readonly wakeTargets: () => Promise<void>;
}

/** What the backup pipeline does to rows only; any worker can. Each may be repeated. */
export function createBackupRowActivities({ backupRuns, events, pins, wakeTargets }: BackupRowDeps) {
  return {
    /** The row of the run, which the API has usually written already. */
    openBackup: (
      kind: BackupKind,
      stamp: string | null,
      input: BackupRunInput<object>,
      run: RunOfLock,
    ): Promise<void> => backupRuns.open(kind, stamp, input, run),

    async recordBackup(entry: BackupEntry & { readonly events: readonly NewEvent[] }): Promise<void> {
      await backupRuns.record(entry);
      for (const event of entry.events) await events.append(event);
    },

    /** G7: whatever an attempt that is gone has pinned. */
    releasePins: (owner: string): Promise<void> => pins.unpin(owner),

    wakeTargets: (): Promise<void> => wakeTargets(),
  };
}

export type BackupRowActivities = ReturnType<typeof createBackupRowActivities>;
