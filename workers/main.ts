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
import { connect, databaseUrl } from '../adapters/postgres/connect.ts';
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
import { boxPaths } from '../infra/box-paths.ts';
import { readBuildInfo } from '../infra/build-info.ts';
import { loadConfig } from '../infra/config.ts';
import { packageRoot } from '../infra/package-root.ts';
import { createWorkers } from './create-workers.ts';
import { createLogger } from './logger.ts';

/** The worker of one box: config, adapters, activities, workers. Ends when told to, or when Temporal is lost for good. */
async function main(): Promise<void> {
  Runtime.install({ logger: createLogger() });
  const config = loadConfig();
  const { address, namespace } = config.temporal;
  const { url, database } = config.postgres;
  if (address === null || url === null) throw new Error('TEMPORAL_ADDRESS and DATABASE_URL must be set for a worker');

  const sql = connect(databaseUrl(url, `${database}_ops`), { name: 'holdfast-worker', max: 5 });
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
      },
      box: {
        ...createDeployActivities({
          ...{ ...stores, ...looks },
          freePort: () => getPort({ host: '127.0.0.1' }),
          freeBytes: () => freeBytes(config.home),
          // Backups come with a pipeline of their own; until then the guard says that none is known.
          recoveryPointAt: () => Promise.resolve(null),
        }),
        ...createStandActivities({ ...stores, ...looks, bootedAt: () => Date.now() - uptime() * 1_000 }),
      },
    },
    buildId: readBuildInfo().build_sha,
  });
  try {
    await wakeWatches(stores.services, runs, config.box);
    // One that fails takes the other down: half a worker would take work that it cannot finish.
    await Promise.all(workers.map((worker) => worker.run()));
  } finally {
    await temporal.close();
    await sql.end();
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

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`The worker ended: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
