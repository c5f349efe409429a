import { Client, Connection } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dropMemoryIndex } from '../../adapters/memories/collection.ts';
import { createLexicalOnly } from '../../adapters/embeddings/embedder.ts';
import { createDrillStore, type StoredDrill } from '../../adapters/postgres/drills.ts';
import { findLabelled } from '../../adapters/process/identity.ts';
import { createDrillStarts } from '../../adapters/temporal/drills.ts';
import { ensureNamespace } from '../../adapters/temporal/namespace.ts';
import { drillRequestSchema } from '../../domain/drill/schemas.ts';
import { createBackupWorld } from './backup-world.ts';
import { createBenchWorker } from './bench-worker.ts';
import { servers } from './servers.ts';

export type DrillBench = Awaited<ReturnType<typeof createDrillBench>>;

/** A real worker with its points, drilled as by the API. Lexical only: nothing here waits for a model. */
export async function createDrillBench() {
  const world = await createBackupWorld({ box: 'bench' });
  const { databases, home, qdrant } = world;
  const namespace = `t-${randomUUID().slice(0, 8)}`;
  const connection = await Connection.connect({ address: servers().temporalAddress });
  await ensureNamespace(connection, namespace);
  const client = new Client({ connection, namespace });
  const worker = createBenchWorker({ home, databases, namespace, env: { HOLDFAST_EMBEDDINGS: 'none' } });
  const [drills, starts] = [createDrillStore(databases.ops), createDrillStarts(client)];
  const drilled: string[] = [];

  const bench = {
    ...{ world, databases, home, client, drills, memories: memoryDeps() },
    ...worker,

    async start(request: Parameters<typeof drillRequestSchema.parse>[0] = {}): Promise<string> {
      const drill_id = randomUUID();
      drilled.push(drill_id);
      const asked = { box: 'bench', actor: 'tester', trigger: 'operator' as const };
      const input = { drill_id, ...asked, request: drillRequestSchema.parse(request) };
      await drills.open(input, await starts.start(input));
      return drill_id;
    },

    async follow(id: string): Promise<StoredDrill> {
      const deadline = Date.now() + 550_000;
      for (let phase = ''; Date.now() < deadline;) {
        const found = await drills.find(id);
        phase = found?.phase ?? phase;
        if (found?.closed_at != null) {
          await client.workflow.getHandle(found.workflow_id, found.run_id ?? undefined).result();
          return found;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (Date.now() > deadline) throw new Error(`The drill did not end: it is in ${phase}`);
      }
      throw new Error('The drill did not end');
    },

    run: async (request?: Parameters<typeof drillRequestSchema.parse>[0]): Promise<StoredDrill> =>
      bench.follow(await bench.start(request)),

    /** What drills and restores make beside the live data, by name: databases, roles, collections, files, processes, locks. */
    async left(): Promise<string[]> {
      const { data, ops, database } = databases;
      const like = `${database.slice(0, 16)}\\_%`;
      const named = await data<{ name: string }[]>`
        select datname as name from pg_database where datname like ${like} and datname <> ${`${database}_ops`}
        union all select rolname from pg_roles where rolname like ${like}`;
      const drills = drilled.map((id) => `holdfast-scratch-drill_${id.replaceAll('-', '').slice(0, 12)}`);
      const { collections } = await qdrant.getCollections();
      const locks = await ops<{ resource: string }[]>`select resource from locks`;
      const folder = join(home, 'drills');
      return [
        ...named.map(({ name }) => name),
        ...collections.map(({ name }) => name).filter((name) => drills.some((drill) => name.startsWith(drill))),
        ...(existsSync(folder) ? readdirSync(folder).filter((name) => drilled.includes(name)) : []),
        ...drilled.filter((id) => findLabelled({ HOLDFAST_DRILL: id }).length > 0).map((id) => `the app of ${id}`),
        ...locks.map(({ resource }) => `lock ${resource}`),
      ];
    },

    async close(): Promise<void> {
      await worker.killWorker();
      await dropMemoryIndex({ data: databases.data, qdrant });
      await connection.close();
      await world.close();
    },
  };

  function memoryDeps() {
    return { data: databases.data, ops: databases.ops, qdrant, embeddings: createLexicalOnly('a test embeds nothing') };
  }

  return bench;
}
