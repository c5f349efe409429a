import { Client, Connection } from '@temporalio/client';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createWaveItemStore } from '../../adapters/postgres/wave-items.ts';
import { createGenerationStore } from '../../adapters/postgres/generations.ts';
import { createProjectStore } from '../../adapters/postgres/projects.ts';
import { createWaveStore, type StoredWave } from '../../adapters/postgres/waves.ts';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';
import { ensureNamespace } from '../../adapters/temporal/namespace.ts';
import { pollersOf } from '../../adapters/temporal/pollers.ts';
import { createWaveRuns } from '../../adapters/temporal/waves.ts';
import { projectSpecSchema, type GivenSpec } from '../../domain/project/schemas.ts';
import { filledIn, templates } from '../../domain/project/template.ts';
import { mainTaskQueue } from '../../domain/task-queue.ts';
import type { WaveCommand } from '../../domain/wave/words.ts';
import { waveRequestSchema } from '../../domain/wave/schemas.ts';
import { createBenchWorker } from './bench-worker.ts';
import { removeTree } from './remove-tree.ts';
import { seenIn } from './seen.ts';
import { freshDatabases, servers } from './servers.ts';
import { startStubEmbeddings, stubDimensions, stubModel } from './stub-embeddings.ts';

export type WaveBench = Awaited<ReturnType<typeof createWaveBench>>;

export interface WaveBenchOptions {
  /** What the project says besides its one source. */
  readonly spec?: GivenSpec;
  /** Lexical only; default: with the stub's vectors. */
  readonly embeddings?: 'none';
  /** What is said of the stub's vectors; default: the truth. */
  readonly dimensions?: number;
  /** More of the worker's environment. */
  readonly worker?: Readonly<Record<string, string>>;
}

/** A real worker, and a project of one folder. Everything under names of its own. */
export async function createWaveBench({ spec = {}, embeddings, dimensions, worker: more = {} }: WaveBenchOptions = {}) {
  const databases = await freshDatabases();
  const namespace = `t-${randomUUID().slice(0, 8)}`;
  const home = await mkdtemp(join(tmpdir(), 'holdfast-waves-'));
  const root = join(home, 'sources', 'docs');
  mkdirSync(root, { recursive: true });
  const connection = await Connection.connect({ address: servers().temporalAddress });
  await ensureNamespace(connection, namespace);
  const client = new Client({ connection, namespace });
  const stub = await startStubEmbeddings();
  const qdrant = connectQdrant(servers().qdrant);
  const [waves, items] = [createWaveStore(databases.ops), createWaveItemStore(databases.data)];
  const [projects, generations] = [createProjectStore(databases.data), createGenerationStore(databases.data)];
  const runs = createWaveRuns(client);
  const stubbed =
    embeddings === 'none'
      ? { HOLDFAST_EMBEDDINGS: 'none' }
      : {
          HOLDFAST_EMBEDDINGS: stub.url,
          HOLDFAST_EMBEDDINGS_MODEL: stubModel,
          HOLDFAST_EMBEDDINGS_DIMENSIONS: String(dimensions ?? stubDimensions),
        };
  const env = { ...stubbed, ...more };
  const worker = createBenchWorker({ home, databases, namespace, env });
  const project = await register(spec);

  async function register(more: GivenSpec): Promise<string> {
    const id = `p-${randomBytes(4).toString('hex')}`;
    const given = { title: id, sources: [{ kind: 'directory' as const, name: 'docs', path: root }], ...more };
    const filled = projectSpecSchema.parse(filledIn(given, templates.plain, 'bench'));
    const { data } = databases;
    await data`insert into projects (id, version, spec) values (${id}, 1, ${data.json(filled)})`;
    await data`insert into project_names (name, project) values (${id}, ${id})`;
    return id;
  }

  const bench = {
    ...{ project, root, home, databases, client, qdrant, stub, waves, items, projects, generations },
    ...worker,
    /** Another project, which its own waves are of. */
    register,
    /** One more worker of the same box, to be started and killed by itself. */
    anotherWorker: () => createBenchWorker({ home, databases, namespace, env }),

    /** Comes back when so many workers ask for work. */
    async workersPolling(count: number): Promise<void> {
      for (const end = Date.now() + 60_000; Date.now() < end;) {
        const question = { namespace, taskQueue: mainTaskQueue, withinMs: 5_000 };
        const pollers = await pollersOf({ connection }, question);
        if (new Set(pollers.map(({ identity }) => identity)).size >= count) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`${count} workers never came`);
    },

    write(path: string, content: string | Buffer): void {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    },
    remove: (path: string): void => rmSync(join(root, path)),

    async start(request: Parameters<typeof waveRequestSchema.parse>[0] = {}, of = project): Promise<string> {
      const wave_id = randomUUID();
      const asked = { actor: 'tester', trigger: 'operator' as const, request: waveRequestSchema.parse(request) };
      const input = { wave_id, project: of, ...asked };
      await waves.open(input, await runs.start(input));
      return wave_id;
    },

    async say(id: string, command: WaveCommand): Promise<void> {
      await runs.command(project, { wave_id: id, command, actor: 'tester' });
    },

    /** Calls `each` with every phase that is seen, until the wave is closed. */
    async follow(id: string, each: (phase: string) => Promise<void> = async () => undefined): Promise<StoredWave> {
      const deadline = Date.now() + 240_000;
      let seen = '';
      while (Date.now() < deadline) {
        const found = await waves.find(id);
        if (found?.closed_at != null) {
          await client.workflow.getHandle(found.workflow_id).result();
          return found;
        }
        if (found !== null && found.phase !== seen) {
          seen = found.phase;
          await each(seen);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`The wave did not end: it is in ${seen}`);
    },

    run: async (request?: Parameters<typeof waveRequestSchema.parse>[0], of?: string): Promise<StoredWave> =>
      bench.follow(await bench.start(request, of)),

    seen: () => seenIn({ data: databases.data, qdrant }, project),

    async close(): Promise<void> {
      await worker.killWorker();
      const collections = await databases.data<{ collection: string }[]>`
        select distinct collection from generations where project = ${project}`;
      const filter = { must: [{ key: 'project', match: { value: project } }] };
      for (const { collection } of collections) await qdrant.delete(collection, { filter, wait: true });
      await connection.close();
      await stub.close();
      await databases.drop();
      removeTree(home);
    },
  };
  return bench;
}
