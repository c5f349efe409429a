import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import type { QdrantClient } from '@qdrant/js-client-rest';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createRestoreRowActivities } from '../activities/restore-rows.ts';
import { createRestoreActivities } from '../activities/restore.ts';
import type { Box } from '../adapters/box.ts';
import { readIdentities } from '../adapters/backup/age-key.ts';
import { checkBytes } from '../adapters/backup/bytes.ts';
import type { BackupServers } from '../adapters/backup/deps.ts';
import { findPostgresTools, serverVersion } from '../adapters/backup/postgres-tools.ts';
import { checkSqlite } from '../adapters/backup/sqlite.ts';
import { unpackTar } from '../adapters/backup/tar-unpack.ts';
import type { Embeddings } from '../adapters/embeddings/embedder.ts';
import { createReconciliation } from '../adapters/generations/reconcile.ts';
import { createBackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createGenerationStore } from '../adapters/postgres/generations.ts';
import { createInstanceStore } from '../adapters/postgres/instances.ts';
import { createLockStore } from '../adapters/postgres/locks.ts';
import type { RunOfLock } from '../domain/lock.ts';
import { createOutbox } from '../adapters/postgres/outbox.ts';
import { createRecoveryPointStore } from '../adapters/postgres/recovery-points.ts';
import { createRestoreStore } from '../adapters/postgres/restores.ts';
import { createServiceStore } from '../adapters/postgres/services.ts';
import { createWaveStore } from '../adapters/postgres/waves.ts';
import { qdrantVersion } from '../adapters/qdrant/version.ts';
import { askHealth } from '../adapters/restore/ask-api.ts';
import { createBesideRestore } from '../adapters/restore/beside.ts';
import { createFileSides } from '../adapters/restore/file-sides.ts';
import { createRestoreHealth } from '../adapters/restore/health.ts';
import { createLeftSides } from '../adapters/restore/left-sides.ts';
import { createOpenPoint, type OpenPoint } from '../adapters/restore/point.ts';
import { createPreflight } from '../adapters/restore/preflight.ts';
import { createRunningServices } from '../adapters/restore/running-services.ts';
import { createSides, type SidesDeps } from '../adapters/restore/sides.ts';
import { createSearch, embedderAmong } from '../adapters/search/search.ts';
import { createCollectRuns } from '../adapters/temporal/collect.ts';
import { createWaveRuns } from '../adapters/temporal/waves.ts';
import { isPermanentFailure, PermanentFailure } from '../domain/failures.ts';

export interface RestoreWorld {
  readonly ops: Sql;
  readonly data: Sql;
  readonly qdrant: QdrantClient;
  readonly client: Client;
  readonly servers: BackupServers;
  readonly embeddings: Embeddings;
  readonly drivers: Box['drivers'];
  readonly home: string;
  /** Where the points are. */
  readonly box: string;
  readonly env: NodeJS.ProcessEnv;
  /** A file of keys of age; null: none is on this box. */
  readonly identitiesPath: string | null;
  /** infra/migrations/holdfast */
  readonly migrations: string;
  /** Of this box's API. */
  readonly apiUrl: string;
  /** What else has to agree with the data that are live now, such as memories and what was forgotten (G12). */
  readonly agreements: readonly SidesDeps['agree'][];
}

/** Everything that a restore needs, put together once a worker process. */
export function createRestoreParts(world: RestoreWorld) {
  const { ops, data, qdrant, client, servers, home, env } = world;
  const { postgresUrl, database } = servers;
  const [restores, recoveryPoints, locks] = [
    createRestoreStore(ops),
    createRecoveryPointStore(ops),
    createLockStore(ops),
  ];
  const events = createEventStore(ops);
  const workFolder = join(home, 'backups', 'work');
  const openPoint = createOpenPoint({ home, env, identitiesPath: world.identitiesPath });
  const running = createRunningServices({
    ...{ openPoint, drivers: world.drivers },
    ...{ services: createServiceStore(ops), instances: createInstanceStore(ops) },
  });

  const files = createFileSides({ openPoint, checkSqlite, unpack: unpackTar });
  const sides = createSides({
    ...{ postgresUrl, database, qdrant, restores },
    migrations: world.migrations,
    carryOutbox: () => createOutbox(data, events).carry(),
    agree: agreeing([pointsAgree(qdrant), ...world.agreements]),
  });

  return {
    main: createRestoreRowActivities({
      ...{ restores, recoveryPoints, events, locks },
      cancelWave: waveCanceller({ ops, client }),
      stampOfBackup: async (id) => (await createBackupRunStore(ops).find(id))?.stamp ?? null,
      wakeAfterRestore: async () => {
        const collecting = createCollectRuns(client);
        for (const project of await createGenerationStore(data).projects()) await collecting.wake(project);
      },
    }),
    box: createRestoreActivities({
      holdsLock: (token) => locks.holds('data', token),
      tell: (id, progress) => restores.tell(id, progress),
      ...{ running, beside: createBesideRestore({ servers, restores, openPoint, workFolder }) },
      preflight: createPreflight({
        ...{ postgresUrl, database, openPoint, running },
        refusalOf: refusalIn({ recoveryPoints, openPoint, box: world.box }),
        checkBytes: ({ folder, manifest }, watched) => checkBytes(folder, manifest, watched),
        checkKeys: async ({ encryption }) => {
          if (encryption === null || (await identities(world)).length > 0) return;
          throw new PermanentFailure('KeyMissing', 'Its members are encrypted, and no key of age is on this box');
        },
        checkTools: async () => {
          await findPostgresTools(servers.postgresBins, (await serverVersion(postgresUrl)).major);
        },
        migrations: async () => (await readdir(world.migrations)).filter((name) => name.endsWith('.sql')).sort(),
        qdrantVersion: () => qdrantVersion(qdrant).catch(() => null),
        places: async () => ({
          postgres: await dataFolderOf(data),
          qdrant: await folderOr(join(home, 'qdrant')),
          work: workFolder,
        }),
      }),
      ...{ files, sides, dropLeft: createLeftSides({ left: () => restores.left(world.box), files, sides }) },
      health: createRestoreHealth({
        ...{ postgresUrl, database },
        searchIn: (sql) => createSearch({ sql, qdrant, embedderOf: embedderAmong(world.embeddings) }),
        askApi: (signal) => askHealth(world.apiUrl, signal),
      }),
    }),
  };
}

async function identities({ identitiesPath }: Pick<RestoreWorld, 'identitiesPath'>): Promise<readonly string[]> {
  return identitiesPath === null ? [] : readIdentities(identitiesPath);
}

/** A point that came to this box behind the catalog's back, as one that was pulled, is recorded when its signature is good. */
function refusalIn({ recoveryPoints, openPoint, box }: RefusalDeps): (stamp: string) => Promise<string | null> {
  return async (stamp) => {
    const found = await recoveryPoints.find(stamp);
    if (found !== null) return refusalOfPoint(found);
    try {
      await recoveryPoints.record((await openPoint(stamp)).manifest, box);
    } catch (error) {
      if (!isPermanentFailure(error)) throw error;
      return `there is no such recovery point: ${error.message}`;
    }
    return refusalOfPoint(await recoveryPoints.find(stamp));
  };
}

interface RefusalDeps {
  readonly recoveryPoints: Pick<ReturnType<typeof createRecoveryPointStore>, 'find' | 'record'>;
  readonly openPoint: OpenPoint;
  readonly box: string;
}

type FoundPoint = Awaited<ReturnType<ReturnType<typeof createRecoveryPointStore>['find']>>;

function refusalOfPoint(point: FoundPoint): string | null {
  if (point === null) return 'there is no such recovery point';
  if (point.place !== 'kept') return `it is not there any more: ${point.place}`;
  if (point.standing !== 'good') return `it is damaged: ${point.damage?.reason ?? 'nobody knows how'}`;
  return point.proved.L2 === undefined ? 'it was never proved by restoring it' : null;
}

/** One after the other; what each did is told under its own names. */
function agreeing(all: readonly SidesDeps['agree'][]): SidesDeps['agree'] {
  return async (data, signal) => {
    const done = {};
    for (const agree of all) Object.assign(done, await agree(data, signal));
    return done;
  };
}

/** G9. */
function pointsAgree(qdrant: QdrantClient): SidesDeps['agree'] {
  return async (data, signal) => ({
    repaired: [...(await createReconciliation({ sql: data, qdrant }).all(signal)).keys()],
  });
}

/** The wave that a run carries out, by its own word; false: there is none, or it is over. */
function waveCanceller({ ops, client }: Pick<RestoreWorld, 'ops' | 'client'>) {
  const [waves, runs] = [createWaveStore(ops), createWaveRuns(client)];
  return async ({ workflow_id }: RunOfLock): Promise<boolean> => {
    const project = workflow_id.replace(/^wave\//, '');
    const open = (await waves.list({ project, limit: 20 })).find(({ closed_at }) => closed_at === null);
    if (open === undefined) return false;
    const message = {
      wave_id: open.id,
      command: 'cancel',
      actor: 'holdfast',
      reason: 'a restore takes the data',
    } as const;
    try {
      await runs.command(project, message);
      return true;
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError || error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  };
}

/** Where it is on this box and may be looked at; else null. */
async function dataFolderOf(data: Sql): Promise<string | null> {
  try {
    const [row] = await data<{ folder: string }[]>`select current_setting('data_directory') as folder`;
    return row === undefined ? null : await folderOr(row.folder);
  } catch {
    return null;
  }
}

async function folderOr(path: string): Promise<string | null> {
  return stat(path).then(
    () => path,
    () => null,
  );
}
