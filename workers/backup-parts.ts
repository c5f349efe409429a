import type { Client } from '@temporalio/client';
import type { QdrantClient } from '@qdrant/js-client-rest';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createBackupRowActivities } from '../activities/backup-rows.ts';
import { createBackupActivities } from '../activities/backup.ts';
import { createPruneActivities } from '../activities/prune.ts';
import { createTargetPlanner } from '../activities/retention.ts';
import { createScheduleActivities } from '../activities/schedules.ts';
import { tidyPartials, tidyRuns } from '../activities/tidy-points.ts';
import { readIdentities } from '../adapters/backup/age-key.ts';
import { declaredFiles } from '../adapters/backup/declared-files.ts';
import type { BackupServers } from '../adapters/backup/deps.ts';
import { createPointMaker } from '../adapters/backup/point-maker.ts';
import { createPoints } from '../adapters/backup/points.ts';
import { measureRoom } from '../adapters/backup/room.ts';
import { openSigningKey, readTrustedKeys } from '../adapters/backup/signing-key.ts';
import { syncCatalog } from '../adapters/backup/sync-catalog.ts';
import { createBackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createLockStore } from '../adapters/postgres/locks.ts';
import { createOffsiteRetentionStore } from '../adapters/postgres/offsite-retention.ts';
import { createOffsiteStore } from '../adapters/postgres/offsite.ts';
import { createPinStore } from '../adapters/postgres/pins.ts';
import { createRecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import { createScheduleStore } from '../adapters/postgres/schedules.ts';
import { createServiceStore } from '../adapters/postgres/services.ts';
import { createPipelineSchedules } from '../adapters/temporal/pipeline-schedules.ts';
import { createRunStatus } from '../adapters/temporal/run-status.ts';
import { roomFor } from '../domain/backup/room.ts';
import { stampAfter } from '../domain/backup/stamp.ts';
import { usualSchedules } from '../domain/schedule/schedules.ts';

export interface BackupWorld {
  readonly ops: Sql;
  readonly data: Sql;
  readonly qdrant: QdrantClient;
  readonly client: Client;
  readonly servers: BackupServers;
  readonly home: string;
  readonly box: string;
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  /** Of age. */
  readonly recipients: readonly string[];
  /** A file of keys of age, for drills; null: none is on this box. */
  readonly identitiesPath: string | null;
  /** Default: that of this machine. */
  readonly now?: () => Date;
  /** Points came or went: copies elsewhere follow. */
  readonly wakeTargets: () => Promise<void>;
}

/** Everything that the backup pipeline needs, put together once a worker process. */
export function createBackupParts(world: BackupWorld) {
  const { ops, data, home, box, servers, env, client, now = () => new Date() } = world;
  const [backupRuns, recoveryPoints] = [createBackupRunStore(ops), createRecoveryPointStore(ops)];
  const [locks, schedules, services] = [createLockStore(ops), createScheduleStore(ops), createServiceStore(ops)];
  const points = createPoints(join(home, 'backups'));
  const pipelineSchedules = createPipelineSchedules(client);
  const fileSets = async () => declaredFiles({ home, box }, await allServices(services));
  const maker = createPointMaker({
    ...{ servers, data, ops, points, box, env, fileSets },
    ...{ recipients: world.recipients, version: world.version, workFolder: join(home, 'backups', 'work') },
    key: () => openSigningKey(join(home, 'secrets')),
    trusted: () => readTrustedKeys(join(home, 'secrets')),
    identities: async () => (world.identitiesPath === null ? [] : readIdentities(world.identitiesPath)),
  });

  const targets = createTargetPlanner({
    ...{ offsite: createOffsiteStore(ops), retention: createOffsiteRetentionStore(ops), locks, schedules, now },
  });

  /** By the rows, also when it is pruned by now, and by the disk. */
  const newestStamp = async (): Promise<string | null> =>
    [await recoveryPoints.newestStamp(), (await points.list()).at(-1) ?? null].reduce(
      (newest, stamp) => (newest === null || (stamp !== null && stamp > newest) ? stamp : newest),
      null,
    );

  return {
    ...{ recoveryPoints, points, maker, targets },

    main: {
      ...createBackupRowActivities({
        ...{ backupRuns, events: createEventStore(ops), pins: createPinStore({ data, ops }) },
        wakeTargets: world.wakeTargets,
      }),
      ...createScheduleActivities({ schedules }),
    },
    box: {
      ...createBackupActivities({
        ...{ backupRuns, recoveryPoints, maker, box },
        newStamp: async () => stampAfter(await newestStamp(), now(), randomBytes(2).toString('hex')),
        tidy: async (tidier) => {
          const deps = { backupRuns, maker, points, box, locks, now, isClosed: createRunStatus(client) };
          await tidyRuns(deps, tidier);
          await tidyPartials(deps, tidier);
        },
        holdsLock: (token) => locks.holds('data', token),
        room: async ({ include_vectors }) =>
          roomFor(await measureRoom({ ...world, recoveryPoints }, await fileSets(), include_vectors)),
      }),
      ...createPruneActivities({
        ...{ recoveryPoints, points, maker, locks, schedules, targets, box },
        now,
      }),
    },

    /** Row B4: points that came or went while nobody looked. */
    async readCatalog(): Promise<string | null> {
      return (await syncCatalog({ recoveryPoints, points, maker, box })).suspect;
    },

    /** Row B10: rows first; what nobody has said anything about is as it usually is. */
    async reconcileSchedules(): Promise<void> {
      await schedules.fill(usualSchedules(box));
      await pipelineSchedules.reconcile(await schedules.list());
    },
  };
}

async function allServices(services: ReturnType<typeof createServiceStore>) {
  const all = [];
  for (let after = ''; ;) {
    const page = await services.list({ after, limit: 200 });
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined) return all;
    after = last.name;
  }
}
