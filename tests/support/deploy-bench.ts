import { Connection, Client } from '@temporalio/client';
import getPort from 'get-port';
import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBox } from '../../adapters/box.ts';
import { createDeployStore, type StoredDeploy } from '../../adapters/postgres/deploys.ts';
import { createInstanceStore } from '../../adapters/postgres/instances.ts';
import { createServiceStore } from '../../adapters/postgres/services.ts';
import { createDeployRuns } from '../../adapters/temporal/deploys.ts';
import { deployRequestSchema } from '../../domain/deploy/schemas.ts';
import { serviceSpecSchema, type ServiceSpecInput } from '../../domain/service.ts';
import { createWebRepository, type WebRepository } from '../../infra/demo/web-service.ts';
import { boxPaths } from '../../infra/box-paths.ts';
import { ensureNamespace } from '../../adapters/temporal/namespace.ts';
import { createBenchWorker } from './bench-worker.ts';
import { freshDatabases, servers } from './servers.ts';
import { removeTree } from './remove-tree.ts';

export interface BenchService {
  /** What is registered; the bench adds where it comes from and what it must not take long for. */
  readonly spec: ServiceSpecInput;
  /** The repository that it is deployed from. */
  readonly repository: WebRepository;
  /** Where the world finds it. */
  readonly url: string;
}

export type MakeService = (home: string) => Promise<BenchService>;

/** A web service as a process, on a port of its own. */
export function webProcess(more: Partial<ServiceSpecInput> = {}): MakeService {
  return async (home) => {
    const port = await getPort();
    const repository = await createWebRepository(join(home, 'repository'));
    const spec = {
      source: { git: join(home, 'repository'), ref: 'main' },
      run: { argv: [process.execPath, 'server.mjs'], env: { PORT: String(port) } },
      probes: { http: { url: `http://127.0.0.1:${port}/health` } },
      ...more,
    };
    return { spec, repository, url: `http://127.0.0.1:${port}/` };
  };
}

export const shortWatch = {
  startup_ms: 15_000,
  stable_ms: 1_500,
  window_ms: 20_000,
  period_ms: 100,
  unhealthy_ms: 500,
};

export interface DeployBenchOptions {
  /** Default: the Docker of this test run. */
  readonly dockerSocket?: string | undefined;
}

/** A real worker process, and a service that it deploys. Everything under names of its own. */
export async function createDeployBench(
  make: MakeService = webProcess(),
  { dockerSocket = process.env['HOLDFAST_TEST_DOCKER'] }: DeployBenchOptions = {},
) {
  const databases = await freshDatabases();
  const namespace = `t-${randomUUID().slice(0, 8)}`;
  const home = await mkdtemp(join(tmpdir(), 'holdfast-faults-'));
  const connection = await Connection.connect({ address: servers().temporalAddress });
  await ensureNamespace(connection, namespace);
  const client = new Client({ connection, namespace });

  const services = createServiceStore(databases.ops);
  const deploys = createDeployStore(databases.ops);
  const runs = createDeployRuns(client);
  const instances = createInstanceStore(databases.ops);
  const paths = boxPaths({ home, dockerHost: `unix://${dockerSocket ?? join(home, 'no-docker.sock')}` });
  const box = createBox({ ...paths, env: process.env, instances });
  const service = `web-${randomUUID().slice(0, 8)}`;
  const { spec, repository, url } = await make(home);
  await services.register(service, { ...serviceSpecSchema.parse({ watch: shortWatch, ...spec }), box: 'bench' });

  const worker = createBenchWorker({ home, databases, namespace, env: { DOCKER_HOST: paths.dockerHost } });
  const bench = {
    service,
    home,
    repository,
    deploys,
    services,
    instances,
    box,
    databases,
    client,
    url,

    ...worker,

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
        if (found?.closed_at != null) {
          await client.workflow.getHandle(found.workflow_id, found.run_id ?? undefined).result();
          return found;
        }
        if (found !== null && found.phase !== seen) {
          seen = found.phase;
          await each(seen);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`The deploy did not end: it is in ${seen}`);
    },

    /** What runs of the service, by any driver. */
    async alive(): Promise<readonly string[]> {
      const found = await Promise.all([box.drivers.process.alive(service), aliveInDocker()]);
      return found.flat();
    },

    async page(): Promise<string> {
      const response = await fetch(url);
      return (await response.text()).trim();
    },

    async close(): Promise<void> {
      await bench.killWorker();
      const { traffic, driver } = serviceSpecSchema.parse(spec);
      for (const row of await instances.list(service)) {
        if ((await bench.alive()).includes(row.instance)) {
          await box.drivers[driver].stop(row, AbortSignal.timeout(20_000));
        }
      }
      if (driver === 'docker') await box.drivers.docker.pruneInstances(service, []);
      if (traffic !== undefined) await box.traffic.remove(service, traffic);
      await connection.close();
      await databases.drop();
      removeTree(home);
    },
  };
  return bench;

  async function aliveInDocker(): Promise<readonly string[]> {
    return spec.driver === 'docker' ? box.drivers.docker.alive(service) : [];
  }
}

export type DeployBench = Awaited<ReturnType<typeof createDeployBench>>;
