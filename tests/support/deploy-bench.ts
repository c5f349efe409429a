import { Connection, Client } from '@temporalio/client';
import getPort from 'get-port';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDeployStore, type StoredDeploy } from '../../adapters/postgres/deploys.ts';
import { createServiceStore } from '../../adapters/postgres/services.ts';
import { createProcessDriver } from '../../adapters/process/driver.ts';
import { createDeployRuns } from '../../adapters/temporal/deploys.ts';
import { deployRequestSchema } from '../../domain/deploy/schemas.ts';
import { serviceSpecSchema, type ServiceSpecInput } from '../../domain/service.ts';
import { createWebRepository } from '../../infra/demo/web-service.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { ensureNamespace } from '../../adapters/temporal/namespace.ts';
import { freshDatabases, servers } from './servers.ts';
import { removeTree } from './remove-tree.ts';

/** A real worker process, and a service that it deploys. Everything under names of its own. */
export async function createDeployBench(spec: Partial<ServiceSpecInput> = {}) {
  const databases = await freshDatabases();
  const namespace = `t-${randomUUID().slice(0, 8)}`;
  const home = await mkdtemp(join(tmpdir(), 'holdfast-faults-'));
  const connection = await Connection.connect({ address: servers().temporalAddress });
  await ensureNamespace(connection, namespace);
  const client = new Client({ connection, namespace });

  const services = createServiceStore(databases.ops);
  const deploys = createDeployStore(databases.ops);
  const runs = createDeployRuns(client);
  const processes = createProcessDriver({
    env: process.env,
    root: join(home, 'services'),
    keeperPath: join(packageRoot, 'dist/adapters/process/keeper.js'),
  });
  const service = `web-${randomUUID().slice(0, 8)}`;
  const port = await getPort();
  const repository = await createWebRepository(join(home, 'repository'));
  await services.register(service, {
    ...serviceSpecSchema.parse({
      source: { git: join(home, 'repository'), ref: 'main' },
      run: { argv: [process.execPath, 'server.mjs'], env: { PORT: String(port) } },
      probes: { http: { url: `http://127.0.0.1:${port}/health` } },
      watch: { startup_ms: 8_000, stable_ms: 1_500, window_ms: 20_000, period_ms: 100 },
      ...spec,
    }),
    box: 'bench',
  });

  let worker: ChildProcess | null = null;
  const bench = {
    service,
    repository,
    deploys,
    services,
    processes,
    databases,
    client,

    startWorker(): void {
      worker = spawn(process.execPath, [join(packageRoot, 'dist/workers/main.js')], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: {
          ...process.env,
          HOLDFAST_HOME: home,
          HOLDFAST_BOX: 'bench',
          HOLDFAST_DATABASE: databases.database,
          DATABASE_URL: servers().databaseUrl,
          TEMPORAL_ADDRESS: servers().temporalAddress,
          TEMPORAL_NAMESPACE: namespace,
        },
      });
    },

    async killWorker(): Promise<void> {
      if (worker === null) return;
      const exit = once(worker, 'exit');
      worker.kill('SIGKILL');
      await exit;
      worker = null;
    },

    async deploy(request: Parameters<typeof deployRequestSchema.parse>[0] = {}): Promise<string> {
      const deploy_id = randomUUID();
      await runs.start({
        deploy_id,
        service,
        box: 'bench',
        actor: 'tester',
        request: deployRequestSchema.parse(request),
      });
      return deploy_id;
    },

    /** Calls `each` with every phase that is seen, until the deploy is closed. */
    async follow(id: string, each: (phase: string) => Promise<void> = async () => undefined): Promise<StoredDeploy> {
      const deadline = Date.now() + 180_000;
      let seen = '';
      while (Date.now() < deadline) {
        const found = await deploys.find(id);
        if (found?.closed_at != null) return found;
        if (found !== null && found.phase !== seen) {
          seen = found.phase;
          await each(seen);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`The deploy did not end: it is in ${seen}`);
    },

    async page(): Promise<string> {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      return (await response.text()).trim();
    },

    async close(): Promise<void> {
      await bench.killWorker();
      for (const { instance } of await processes.alive(service)) {
        await processes.stop(service, instance, { timeout_ms: 1_000 });
      }
      await connection.close();
      await databases.drop();
      removeTree(home);
    },
  };
  return bench;
}

export type DeployBench = Awaited<ReturnType<typeof createDeployBench>>;
