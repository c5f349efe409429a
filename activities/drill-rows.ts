import type { BackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { DrillEntry, DrillStore } from '../adapters/postgres/drills.ts';
import type { EventStore, NewEvent } from '../adapters/postgres/events.ts';
import type { RunOfLock } from '../domain/lock.ts';
import type { RecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import type { DrillInput } from '../domain/drill/run.ts';

export interface DrillRowDeps {
  readonly drills: Pick<DrillStore, 'open' | 'record'>;
  readonly recoveryPoints: Pick<RecoveryPointStore, 'newestProven'>;
  readonly backupRuns: Pick<BackupRunStore, 'find'>;
  readonly events: EventStore;
}

/** What a drill does to rows only; any worker can. Each may be repeated. */
export function createDrillRowActivities({ drills, recoveryPoints, backupRuns, events }: DrillRowDeps) {
  return {
    openDrill: (input: DrillInput, run: RunOfLock): Promise<void> => drills.open(input, run),

    async recordDrill(entry: DrillEntry & { readonly events: readonly NewEvent[] }): Promise<void> {
      await drills.record(entry);
      for (const event of entry.events) await events.append(event);
    },

    /** Of the point that a run has made. */
    stampOfDrillBackup: async (backupId: string): Promise<string | null> =>
      (await backupRuns.find(backupId))?.stamp ?? null,

    /** RPO: how old the newest point is that passed L2; null: there is none. In seconds. */
    async newestProvenAge(): Promise<number | null> {
      const newest = await recoveryPoints.newestProven();
      return newest === null ? null : Math.max(0, Math.round((Date.now() - newest.taken_at.getTime()) / 1_000));
    },
  };
}

export type DrillRowActivities = ReturnType<typeof createDrillRowActivities>;
