import { NativeConnection, Runtime } from '@temporalio/worker';
import { join } from 'node:path';
import { createDeployActivities } from '../activities/deploy.ts';
import { createOperationsActivities } from '../activities/operations.ts';
import { freeBytes } from '../adapters/files/disk.ts';
import { createReleaseFolders } from '../adapters/files/releases.ts';
import { createGitSource } from '../adapters/git/source.ts';
import { connect, databaseUrl } from '../adapters/postgres/connect.ts';
import { createDeployStore } from '../adapters/postgres/deploys.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createLockStore } from '../adapters/postgres/locks.ts';
import { createServiceStore } from '../adapters/postgres/services.ts';
import { createProbe } from '../adapters/probe/probe.ts';
import { createProcessDriver } from '../adapters/process/driver.ts';
import { connectTemporal } from '../adapters/temporal/connect.ts';
import { createRunStatus } from '../adapters/temporal/run-status.ts';
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
  const temporal = connectTemporal({ address, namespace });
  const root = join(config.home, 'services');
  const services = createServiceStore(sql);
  const locks = createLockStore(sql);
  const env = process.env;
  const keeperPath = join(packageRoot, 'dist/adapters/process/keeper.js');
  const processes = createProcessDriver({ root, keeperPath, env });

  const operations = createOperationsActivities({
    services,
    deploys: createDeployStore(sql),
    events: createEventStore(sql),
    locks,
    isClosed: createRunStatus(temporal.client),
  });
  const deploy = createDeployActivities({
    services,
    locks,
    git: createGitSource({ root, env }),
    folders: createReleaseFolders({ root, env }),
    processes,
    sample: createProbe(processes, env),
    freeBytes: () => freeBytes(config.home),
  });

  const connection = await NativeConnection.connect({ address });
  const workers = await createWorkers({
    connection,
    namespace,
    box: config.box,
    workflowBundle: { codePath: join(packageRoot, 'dist/workflow-bundle.js') },
    operations,
    deploy,
    buildId: readBuildInfo().build_sha,
  });
  try {
    // One that fails takes the other down: half a worker would take work that it cannot finish.
    await Promise.all(workers.map((worker) => worker.run()));
  } finally {
    await temporal.close();
    await sql.end();
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`The worker ended: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
