import { NativeConnection, Runtime } from '@temporalio/worker';
import getPort from 'get-port';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { createDeployActivities } from '../activities/deploy.ts';
import { createOperationsActivities } from '../activities/operations.ts';
import { createOverrideActivities } from '../activities/overrides.ts';
import { createStandActivities, createWatchActivities } from '../activities/watch.ts';
import { createBox } from '../adapters/box.ts';
import { freeBytes } from '../adapters/files/disk.ts';
import type { QdrantClient } from '@qdrant/js-client-rest';
import { createReconciliation } from '../adapters/generations/reconcile.ts';
import { connect, databaseUrl, type Sql } from '../adapters/postgres/connect.ts';
import { createDeployStore } from '../adapters/postgres/deploys.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createInstanceStore } from '../adapters/postgres/instances.ts';
import { createLockStore } from '../adapters/postgres/locks.ts';
import { createOverrideStore } from '../adapters/postgres/overrides.ts';
import { createServiceStore, type ServiceStore } from '../adapters/postgres/services.ts';
import { probeDependency, sample } from '../adapters/probe/sampler.ts';
import { connectionOptions, connectTemporal } from '../adapters/temporal/connect.ts';
import { createDeployRuns, type DeployRuns } from '../adapters/temporal/deploys.ts';
import { createRunStatus } from '../adapters/temporal/run-status.ts';
import { openEmbeddings } from '../adapters/embeddings/open.ts';
import { createBoxLimit } from '../adapters/embeddings/box-limit.ts';
import { createProjectStore } from '../adapters/postgres/projects.ts';
import { createRefreshSchedules } from '../adapters/temporal/refresh-schedules.ts';
import { connectQdrant } from '../adapters/qdrant/connect.ts';
import { watchRestarts } from '../adapters/qdrant/restarts.ts';
import { apiUrl } from '../infra/api-url.ts';
import { boxPaths, embeddingProgram } from '../infra/box-paths.ts';
import { readBuildInfo, readVersion } from '../infra/build-info.ts';
import { loadConfig } from '../infra/config.ts';
import { packageRoot } from '../infra/package-root.ts';
import { postgresPrograms } from '../infra/postgres-programs.ts';
import { createWorkers } from './create-workers.ts';
import { createLogger } from './logger.ts';
import { keepSchedules } from './keep-schedules.ts';
import { createBackupParts } from './backup-parts.ts';
import { createDrillParts } from './drill-parts.ts';
import { keepMemories, reconcileMemories } from './keep-memories.ts';
import { createRestoreParts } from './restore-parts.ts';
import { createOffsiteParts } from './offsite-parts.ts';
import { createWaveParts } from './wave-parts.ts';

/** The worker of one box: config, adapters, activities, workers. Ends when told to, or when Temporal is lost for good. */
async function main(): Promise<void> {
  Runtime.install({ logger: createLogger() });
  const config = loadConfig();
  const { address, namespace } = config.temporal;
  const { url, database } = config.postgres;
  if (address === null || url === null || config.qdrant.url === null)
    throw new Error('TEMPORAL_ADDRESS, DATABASE_URL and QDRANT_URL must be set for a worker');

  const sql = connect(databaseUrl(url, `${database}_ops`), { name: 'holdfast-worker', max: 8 });
  const data = connect(databaseUrl(url, database), { name: 'holdfast-worker', max: 8 });
  const temporal = connectTemporal({ ...config.temporal, address });
  const runs = createDeployRuns(temporal.client);
  const stores = {
    services: createServiceStore(sql),
    deploys: createDeployStore(sql),
    instances: createInstanceStore(sql),
    locks: createLockStore(sql),
  };
  const box = createBox({ ...boxPaths(config), env: process.env, instances: stores.instances });
  const looks = { ...box, ...{ sample, probeDependency } };

  const { atOnce, ...embedding } = config.embeddings;
  const turns = connect(databaseUrl(url, `${database}_ops`), { name: 'holdfast-embedding-turns', max: 1 });
  const qdrant = connectQdrant({ url: config.qdrant.url, apiKey: config.qdrant.apiKey });
  const embeddings = openEmbeddings(embedding, {
    program: embeddingProgram,
    boxLimit: createBoxLimit(turns, { box: config.box, atOnce }),
  });
  const waves = createWaveParts({
    ...{ data, ops: sql, client: temporal.client, home: config.home, box: config.box },
    ...{ sourceRoots: config.sourceRoots, env: process.env },
    ...{ qdrant, embeddings },
    parseProgram: join(packageRoot, 'dist/adapters/parsers/parse-process.js'),
  });

  const servers = {
    ...{ postgresUrl: url, database, qdrant: { url: config.qdrant.url, apiKey: config.qdrant.apiKey } },
    postgresBins: await postgresPrograms(),
  };
  const backups = createBackupParts({
    ...{ data, ops: sql, qdrant, client: temporal.client, home: config.home, box: config.box, env: process.env },
    ...{ recipients: config.backup.recipients, identitiesPath: config.backup.identitiesPath },
    version: readVersion(),
    servers,
    wakeTargets: () => offsite.wakeAll(),
  });

  const offsite = createOffsiteParts({
    ...{ ops: sql, client: temporal.client, points: backups.points, targets: backups.targets },
    ...{ home: config.home, box: config.box, env: process.env },
  });
  const drills = createDrillParts({
    ...{ data, ops: sql, qdrant, servers, embeddings, home: config.home, box: config.box, env: process.env },
    identitiesPath: config.backup.identitiesPath,
    apiProgram: join(packageRoot, 'dist/api/main.js'),
  });

  const restores = createRestoreParts({
    ...{ data, ops: sql, qdrant, client: temporal.client, servers, embeddings, drivers: box.drivers },
    ...{ home: config.home, box: config.box, env: process.env, identitiesPath: config.backup.identitiesPath },
    migrations: join(packageRoot, 'infra/migrations/holdfast'),
    apiUrl: apiUrl(config, config.api.port),
    agreements: [drills.agree],
  });

  const connection = await NativeConnection.connect(connectionOptions({ ...config.temporal, address }));
  const workers = await createWorkers({
    connection,
    namespace,
    box: config.box,
    workflowBundle: { codePath: join(packageRoot, 'dist/workflow-bundle.js') },
    activities: {
      main: {
        ...createOperationsActivities({
          ...{ ...stores, runs, events: createEventStore(sql), isClosed: createRunStatus(temporal.client) },
        }),
        ...createOverrideActivities(createOverrideStore(sql)),
        ...createWatchActivities({ ...stores, runs }),
        ...waves.main,
        ...backups.main,
        ...offsite.main,
        ...restores.main,
        ...drills.main,
      },
      box: {
        ...createDeployActivities({
          ...{ ...stores, ...looks },
          freePort: () => getPort({ host: '127.0.0.1' }),
          freeBytes: () => freeBytes(config.home),
          recoveryPointAt: async () => (await backups.recoveryPoints.newestProven())?.taken_at ?? null,
        }),
        ...createStandActivities({ ...stores, ...looks, bootedAt: () => Date.now() - uptime() * 1_000 }),
        ...waves.box,
        ...backups.box,
        ...offsite.box,
        ...restores.box,
        ...drills.box,
      },
    },
    buildId: readBuildInfo().build_sha,
  });
  const stopping = new AbortController();
  try {
    void reconcilePoints(data, qdrant);
    void readCatalog(backups);
    const server = { url: config.qdrant.url, apiKey: config.qdrant.apiKey };
    const putRight = async () => {
      await reconcilePoints(data, qdrant);
      await reconcileMemories(drills.memories, stopping.signal);
    };
    void watchRestarts(server, putRight, { signal: stopping.signal });
    void keepMemories(drills.memories, stopping.signal);
    await wakeWatches(stores.services, runs, config.box);
    // Temporal may have lost a push; a target that is told twice does nothing twice.
    void offsite.wakeAll().catch(() => undefined);
    const keeping = keepSchedules(
      createRefreshSchedules(temporal.client),
      createProjectStore(data),
      () => backups.reconcileSchedules(),
      stopping.signal,
    );
    // One that fails takes the other down: half a worker would take work that it cannot finish.
    await Promise.all(workers.map((worker) => worker.run()));
    stopping.abort();
    await keeping;
  } finally {
    stopping.abort();
    await waves.close();
    await temporal.close();
    await Promise.all([sql.end(), data.end(), turns.end()]);
  }
}

/** Rows say what should run; a watch that Temporal lost, or that never began, begins here. */
async function wakeWatches(services: ServiceStore, runs: DeployRuns, box: string): Promise<void> {
  for (let after = ''; ;) {
    const page = await services.list({ after, limit: 200 });
    for (const { name, desired, spec } of page) {
      if (desired.state === 'running' && spec.box === box) await runs.wakeWatch({ service: name, box });
    }
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.name;
  }
}

/** generations.md, G9: what came too late, or was lost, is put right from the rows. Beside the work, which does not wait for it. */
async function reconcilePoints(data: Sql, qdrant: QdrantClient): Promise<void> {
  try {
    for (const [project, found] of await createReconciliation({ sql: data, qdrant }).all(new AbortController().signal))
      process.stderr.write(`The points of ${project} were put right: ${JSON.stringify(found)}\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`The points could not be compared with the rows; the next wave does it: ${reason}\n`);
  }
}

/** Row B4: the manifests are the catalog, and rows are made from them: of points that were brought here, or that another database knew. */
async function readCatalog(backups: Pick<ReturnType<typeof createBackupParts>, 'readCatalog'>): Promise<void> {
  const suspect = await backups.readCatalog().catch((error: unknown) => String(error));
  if (suspect !== null) process.stderr.write(`The catalog of recovery points is not to be trusted: ${suspect}\n`);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`The worker ended: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
