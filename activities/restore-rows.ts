import type { EventStore, NewEvent } from '../adapters/postgres/events.ts';
import type { LockStore } from '../adapters/postgres/locks.ts';
import type { RunOfLock } from '../domain/lock.ts';
import type { RestoreEntry, RestoreStore } from '../adapters/postgres/restores.ts';
import type { RecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import { safetyPinReason, type RestoreInput } from '../domain/restore/run.ts';

export interface RestoreRowDeps {
  readonly restores: Pick<RestoreStore, 'open' | 'record'>;
  readonly recoveryPoints: Pick<RecoveryPointStore, 'unpin'>;
  readonly events: EventStore;
  readonly locks: Pick<LockStore, 'list'>;
  /** The wave that a run carries out is told to stop; false: it is over, or carries out none. */
  readonly cancelWave: (run: RunOfLock) => Promise<boolean>;
  readonly stampOfBackup: (backup_id: string) => Promise<string | null>;
  /** Whatever looks at the data by itself begins anew: collecting, schedules. */
  readonly wakeAfterRestore: () => Promise<void>;
}

/** What a restore does to rows only; any worker can. Each may be repeated. */
export function createRestoreRowActivities(deps: RestoreRowDeps) {
  const { restores, events, locks } = deps;
  return {
    openRestore: (input: RestoreInput, run: RunOfLock): Promise<void> => restores.open(input, run),

    async recordRestore(entry: RestoreEntry & { readonly events: readonly NewEvent[] }): Promise<void> {
      await restores.record(entry);
      for (const event of entry.events) await events.append(event);
    },

    /** Those that hold the data; what they write would be gone with them. Returns their ids. */
    async interruptWaves(own: RunOfLock): Promise<readonly string[]> {
      const told: string[] = [];
      for (const { resource, workflow_id, run_id } of await locks.list()) {
        if (resource !== 'data' || run_id === own.run_id || !workflow_id.startsWith('wave/')) continue;
        if (await deps.cancelWave({ workflow_id, run_id })) told.push(workflow_id);
      }
      return told;
    },

    /** Only what the restore itself has pinned. */
    unpinSafetyPoint: (stamp: string, restore_id: string): Promise<void> =>
      deps.recoveryPoints.unpin(stamp, safetyPinReason(restore_id)),

    stampOfBackup: deps.stampOfBackup,
    wakeAfterRestore: deps.wakeAfterRestore,
  };
}

export type RestoreRowActivities = ReturnType<typeof createRestoreRowActivities>;
