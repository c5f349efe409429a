import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { createBox } from '../../adapters/box.ts';
import { createInstanceStore } from '../../adapters/postgres/instances.ts';
import { ensureNamespace } from '../../adapters/temporal/namespace.ts';
import { boxPaths } from '../../infra/box-paths.ts';
import { createWorkers } from '../../workers/create-workers.ts';
import { createCli, type Cli } from '../cli/run-cli.ts';
import { createBackupWorld, type BackupWorld } from './backup-world.ts';
import { startBenchApi, type BenchApi } from './bench-api.ts';
import { servers } from './servers.ts';
import { workflowBundle } from './workflow-bundle.ts';

export interface BackupApi {
  readonly world: BackupWorld;
  readonly api: BenchApi;
  /** As an operator. */
  readonly cli: Cli;
  readonly client: Client;
  readonly stop: () => Promise<void>;
}

/** The API, the CLI and a worker over stores, a namespace and a home of their own. */
export async function startBackupApi(
  activitiesOf: (world: BackupWorld, client: Client) => object = ({ activities }) => activities,
): Promise<BackupApi> {
  const world = await createBackupWorld({ box: 'bench' });
  const { databases, home } = world;
  const address = servers().temporalAddress;
  const namespace = `t-${randomUUID().slice(0, 8)}`;
  const connection = await Connection.connect({ address });
  await ensureNamespace(connection, namespace);
  const client = new Client({ connection, namespace });
  const native = await NativeConnection.connect({ address });
  const activities = activitiesOf(world, client);
  const workers = await createWorkers({
    ...{ connection: native, namespace, box: 'bench', workflowBundle: workflowBundle(), buildId: 'test' },
    activities: { main: activities, box: activities },
  });
  const running = Promise.all(workers.map((worker) => worker.run()));
  const box = createBox({
    ...boxPaths({ home, dockerHost: 'unix:///none' }),
    ...{ env: process.env, instances: createInstanceStore(databases.ops) },
  });
  const api = await startBenchApi({ databases, client, box });
  return {
    ...{ world, api, client },
    cli: createCli(home, { HOLDFAST_URL: api.url, HOLDFAST_TOKEN: api.token }),
    async stop() {
      for (const worker of workers) worker.shutdown();
      await running;
      await api.close();
      await native.close();
      await connection.close();
      await world.close();
    },
  };
}
