import type { Client } from '@temporalio/client';
import { join } from 'node:path';
import { createPullActivities } from '../activities/pull.ts';
import { createPushActivities, createPushRowActivities } from '../activities/push.ts';
import type { Points } from '../adapters/backup/points.ts';
import { readTrustedKeys } from '../adapters/backup/signing-key.ts';
import { openTarget } from '../adapters/offsite/open-target.ts';
import { createBackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createOffsiteStore, type StoredTarget } from '../adapters/postgres/offsite.ts';
import { createRecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import { createOffsiteRuns } from '../adapters/temporal/offsite.ts';

export interface OffsiteWorld {
  readonly ops: Sql;
  readonly client: Client;
  readonly points: Points;
  readonly home: string;
  readonly box: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Everything that copies elsewhere need, put together once a worker process. */
export function createOffsiteParts({ ops, client, points, home, box, env }: OffsiteWorld) {
  const offsite = createOffsiteStore(ops);
  const runs = createOffsiteRuns(client);
  const scratch = join(home, 'offsite');
  const open = (target: StoredTarget, signal: AbortSignal) => openTarget(target, { env, scratch, signal });

  return {
    main: createPushRowActivities({ offsite, events: createEventStore(ops) }),
    box: {
      ...createPushActivities({ offsite, openTarget: open, folderOf: (stamp) => points.folderOf(stamp, 'kept') }),
      ...createPullActivities({
        ...{ offsite, openTarget: open, points, box },
        trusted: () => readTrustedKeys(join(home, 'secrets')),
        ...{ recoveryPoints: createRecoveryPointStore(ops), backupRuns: createBackupRunStore(ops) },
      }),
    },

    /** A new point, or a worker that has just begun: every target that lacks something is told. */
    async wakeAll(): Promise<void> {
      for (const { name, box: at, enabled } of await offsite.list()) {
        if (enabled && (await offsite.nextToPush(name)) !== null) await runs.push({ target: name, box: at });
      }
    },
  };
}
