import type { Client } from '@temporalio/client';
import { join } from 'node:path';
import { createLetGoActivities } from '../activities/let-go.ts';
import { createPullActivities } from '../activities/pull.ts';
import { createPushActivities, createPushRowActivities } from '../activities/push.ts';
import type { TargetPlanner } from '../activities/retention.ts';
import { tidyPartials } from '../activities/tidy-points.ts';
import type { Points } from '../adapters/backup/points.ts';
import { readTrustedKeys } from '../adapters/backup/signing-key.ts';
import { openTarget } from '../adapters/offsite/open-target.ts';
import { createBackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createOffsiteRetentionStore } from '../adapters/postgres/offsite-retention.ts';
import { createOffsiteStore, type StoredTarget } from '../adapters/postgres/offsite.ts';
import { createLockStore } from '../adapters/postgres/locks.ts';
import { createRecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import { createOffsiteRuns } from '../adapters/temporal/offsite.ts';
import { createRunStatus } from '../adapters/temporal/run-status.ts';

export interface OffsiteWorld {
  readonly ops: Sql;
  readonly client: Client;
  readonly points: Points;
  /** What retention lets go at each. */
  readonly targets: TargetPlanner;
  readonly home: string;
  readonly box: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Everything that copies elsewhere need, put together once a worker process. */
export function createOffsiteParts({ ops, client, points, targets, home, box, env }: OffsiteWorld) {
  const offsite = createOffsiteStore(ops);
  const retention = createOffsiteRetentionStore(ops);
  const recoveryPoints = createRecoveryPointStore(ops);
  const runs = createOffsiteRuns(client);
  const scratch = join(home, 'offsite');
  const open = (target: StoredTarget, signal: AbortSignal) => openTarget(target, { env, scratch, signal });

  return {
    main: createPushRowActivities({ offsite, retention, plan: targets, events: createEventStore(ops) }),
    box: {
      ...createPushActivities({ offsite, openTarget: open, folderOf: (stamp) => points.folderOf(stamp, 'kept') }),
      ...createPullActivities({
        ...{ offsite, openTarget: open, points, box },
        tidy: (tidier) =>
          tidyPartials(
            { points, locks: createLockStore(ops), isClosed: createRunStatus(client), now: () => new Date() },
            tidier,
          ),
        trusted: () => readTrustedKeys(join(home, 'secrets')),
        ...{ recoveryPoints, backupRuns: createBackupRunStore(ops) },
      }),
      ...createLetGoActivities({
        ...{ offsite, retention, recoveryPoints, plan: targets, openTarget: open, now: () => new Date() },
      }),
    },

    /** Points came or went, or a worker has just begun: every target that lacks something, or is to let go of something, is told. */
    async wakeAll(): Promise<void> {
      for (const { name, box: at, enabled } of await offsite.list()) {
        const isBehind = async (): Promise<boolean> =>
          (await offsite.nextToPush(name)) !== null || (await targets.at(name)).drop.length > 0;
        if (enabled && (await isBehind())) await runs.push({ target: name, box: at });
      }
    },
  };
}
