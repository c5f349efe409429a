import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import type { Embeddings } from '../adapters/embeddings/embedder.ts';
import { connect, databaseUrl } from '../adapters/postgres/connect.ts';
import { createProjectStore } from '../adapters/postgres/projects.ts';
import { createWaveStore, type StoredWave } from '../adapters/postgres/waves.ts';
import { connectQdrant } from '../adapters/qdrant/connect.ts';
import { createOperationsActivities } from '../activities/operations.ts';
import { createDeployStore } from '../adapters/postgres/deploys.ts';
import { createEventStore } from '../adapters/postgres/events.ts';
import { createInstanceStore } from '../adapters/postgres/instances.ts';
import { createLockStore } from '../adapters/postgres/locks.ts';
import { createServiceStore } from '../adapters/postgres/services.ts';
import { connectionOptions, connectTemporal } from '../adapters/temporal/connect.ts';
import { createDeployRuns } from '../adapters/temporal/deploys.ts';
import { createRunStatus } from '../adapters/temporal/run-status.ts';
import { createWaveRuns } from '../adapters/temporal/waves.ts';
import { waveWorkflowId } from '../domain/wave/run.ts';
import { filledIn, templates } from '../domain/project/template.ts';
import { projectSpecSchema } from '../domain/project/schemas.ts';
import { waveRequestSchema } from '../domain/wave/schemas.ts';
import type { Config } from '../infra/config.ts';
import { packageRoot } from '../infra/package-root.ts';
import { startStack } from '../infra/stack/stack.ts';
import { createWaveParts } from '../workers/wave-parts.ts';
import { costsOf, type Costs } from './process-cost.ts';
import { createWorkers } from '../workers/create-workers.ts';

const box = 'bench';
const lookEveryMs = 500;
const quiet = { say: () => undefined, step: <T>(_: string, work: () => Promise<T>) => work() };

export type WaveWorld = Awaited<ReturnType<typeof startWaveWorld>>;

interface WaveRun {
  readonly wave: StoredWave;
  /** As seen twice a second. */
  readonly seconds_by_phase: Readonly<Record<string, number>>;
}

/** Servers of its own, a worker in this process with the embedder that is given, and projects made of texts. */
export async function startWaveWorld(usual: Config, embeddings: Embeddings) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-wave-'));
  // Passed through by the user that Postgres runs as.
  await chmod(folder, 0o711);
  const config = {
    ...{ ...usual, home: join(folder, 'home'), box },
    temporal: { ...usual.temporal, address: null },
    postgres: { ...usual.postgres, url: null },
    qdrant: { ...usual.qdrant, url: null },
  };
  await mkdir(config.home, { mode: 0o711 });
  const stack = await startStack(config, quiet, { apps: false, signal: new AbortController().signal });
  const { database } = config.postgres;
  const ops = connect(databaseUrl(stack.database_url, `${database}_ops`), { name: 'holdfast-bench', max: 8 });
  const data = connect(databaseUrl(stack.database_url, database), { name: 'holdfast-bench', max: 8 });
  const qdrant = connectQdrant(stack.qdrant, 120_000);
  const address = { ...config.temporal, address: stack.temporal_address };
  const temporal = connectTemporal(address);
  const connection = await NativeConnection.connect(connectionOptions(address));
  const roots = join(folder, 'sources');
  const parts = createWaveParts({
    ...{ ops, data, qdrant, client: temporal.client, embeddings, home: config.home, box, env: process.env },
    sourceRoots: [roots],
    parseProgram: join(packageRoot, 'dist/adapters/parsers/parse-process.js'),
  });
  const operations = createOperationsActivities({
    services: createServiceStore(ops),
    deploys: createDeployStore(ops),
    instances: createInstanceStore(ops),
    locks: createLockStore(ops),
    events: createEventStore(ops),
    runs: createDeployRuns(temporal.client),
    isClosed: createRunStatus(temporal.client),
  });
  const workers = await createWorkers({
    ...{ connection, namespace: config.temporal.namespace, box, buildId: 'bench' },
    workflowBundle: { codePath: join(packageRoot, 'dist/workflow-bundle.js') },
    activities: { main: { ...operations, ...parts.main }, box: parts.box },
  });
  const running = Promise.all(workers.map((worker) => worker.run()));
  const waves = createWaveStore(ops);
  const runs = createWaveRuns(temporal.client);

  return {
    data,
    qdrant,

    /** A project whose one source is these texts, by path. */
    async project(id: string, texts: Iterable<readonly [path: string, text: string]>): Promise<void> {
      const root = join(roots, id);
      for (const [path, text] of texts) {
        await mkdir(dirname(join(root, path)), { recursive: true });
        await writeFile(join(root, path), text);
      }
      const given = { title: id, sources: [{ kind: 'directory' as const, name: 'texts', path: root }] };
      const spec = projectSpecSchema.parse(filledIn(given, templates.plain, box));
      await data`insert into projects (id, version, spec) values (${id}, 1, ${data.json(spec)})`;
      await data`insert into project_names (name, project) values (${id}, ${id})`;
    },

    /** Runs a wave to its end. `each` is called twice a second meanwhile. Throws unless it is committed. */
    async wave(project: string, each: () => void = () => undefined): Promise<WaveRun> {
      const wave_id = randomUUID();
      const input = {
        wave_id,
        project,
        actor: 'bench',
        trigger: 'operator' as const,
        request: waveRequestSchema.parse({}),
      };
      const run = await runs.start(input);
      await waves.open(input, run);
      const ended = temporal.client.workflow.getHandle(run.workflow_id).result();
      const seconds_by_phase: Record<string, number> = {};
      for (let seen = performance.now(); ;) {
        // Seldom enough to cost nothing beside the wave, whose end is heard of at once.
        const isOver = await Promise.race([ended.then(() => true), sleep(lookEveryMs, false)]);
        each();
        const wave = await waves.find(wave_id);
        if (wave === null) continue;
        seconds_by_phase[wave.phase] = (seconds_by_phase[wave.phase] ?? 0) + (performance.now() - seen) / 1_000;
        seen = performance.now();
        if (!isOver) continue;
        if (wave.result.outcome !== 'committed') throw new Error(`the wave ended ${JSON.stringify(wave.result)}`);
        return { wave, seconds_by_phase };
      }
    },

    /** Events in the histories of a project's last wave, over all its runs. */
    async events(project: string): Promise<number> {
      const handle = temporal.client.workflow.getHandle(waveWorkflowId(project));
      const { historyLength } = await handle.describe();
      return historyLength;
    },

    /** Of the servers, and of this process with the parsers, which is the worker. */
    costs: (): Costs => costsOf(stack.parts.map(({ name, pid }) => ({ name, pid: pid() ?? 0 }))),

    visible: async (project: string) => (await createProjectStore(data).find(project))?.visible ?? 0,

    async close(): Promise<void> {
      for (const worker of workers) worker.shutdown();
      await running;
      await parts.close();
      await connection.close();
      await temporal.close();
      await Promise.all([ops.end(), data.end()]);
      await stack.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
