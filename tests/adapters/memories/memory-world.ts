import { randomUUID } from 'node:crypto';
import type { QdrantClient } from '@qdrant/js-client-rest';
import type { Embeddings } from '../../../adapters/embeddings/embedder.ts';
import { memoryCollection } from '../../../adapters/memories/collection.ts';
import { createMemories, type Memories } from '../../../adapters/memories/memories.ts';
import type { MemoryDeps } from '../../../adapters/memories/points.ts';
import { createMemoryReconciliation, type MemoryReconciliation } from '../../../adapters/memories/reconcile.ts';
import { createMemorySearch, type MemoryFound, type MemorySearch } from '../../../adapters/memories/search.ts';
import type { NewMemory, StoredMemory } from '../../../adapters/postgres/memories.ts';
import { connectQdrant } from '../../../adapters/qdrant/connect.ts';
import { memoryPoints } from '../../../adapters/qdrant/memory-points.ts';
import { freshDatabases, servers, type TestDatabases } from '../../support/servers.ts';
import { wordEmbedder } from '../search/world.ts';

export interface MemoryWorld {
  readonly databases: TestDatabases;
  readonly qdrant: QdrantClient;
  readonly memories: Memories;
  readonly reconciliation: MemoryReconciliation;
  /** The same databases, with something else in the place of a part. */
  with(other: Partial<MemoryDeps>): Pick<MemoryWorld, 'memories' | 'reconciliation' | 'search'>;
  project(id: string): Promise<void>;
  remember(memory: Partial<NewMemory> & { text: string }): Promise<StoredMemory & { readonly indexed: boolean }>;
  readonly search: (search: Partial<MemorySearch> & { query: string }) => Promise<MemoryFound>;
  /** Ids of all points that there are. */
  points(): Promise<string[]>;
  close(): Promise<void>;
}

/** Real Postgres and Qdrant; the model knows words alone. */
export async function createMemoryWorld(given?: TestDatabases, embeddings: Embeddings = wordEmbedder()) {
  const databases = given ?? (await freshDatabases());
  const qdrant = connectQdrant(servers().qdrant);
  const deps: MemoryDeps = { data: databases.data, ops: databases.ops, qdrant, embeddings };
  const collections = new Set<string>();

  async function noteCollection(): Promise<string | null> {
    const name = (await memoryCollection(databases.data))?.name ?? null;
    if (name !== null) collections.add(name);
    return name;
  }

  function parts(all: MemoryDeps): ReturnType<MemoryWorld['with']> {
    const search = createMemorySearch(all);
    return {
      memories: createMemories(all),
      reconciliation: createMemoryReconciliation(all),
      search: (asked) => search({ projects: [], ofNone: true, types: null, limit: 10, ...asked }),
    };
  }

  const own = parts(deps);
  const world: MemoryWorld = {
    ...{ databases, qdrant },
    ...own,
    with: (other) => parts({ ...deps, ...other }),

    async project(id) {
      const spec = { title: id, sources: [{ kind: 'upload', name: 'notes' }], box: 'here' };
      await databases.data`insert into projects (id, version, spec) values (${id}, 1, ${databases.data.json(spec)})`;
    },

    async remember(memory) {
      const created = await own.memories.create(newMemory(memory), 'tester');
      await noteCollection();
      if (!created.ok) throw new Error(created.reason);
      return { ...created.memory, indexed: created.indexed };
    },

    async points() {
      const name = await noteCollection();
      if (name === null || !(await qdrant.collectionExists(name)).exists) return [];
      const ids: string[] = [];
      for await (const { id } of memoryPoints(qdrant, name)) ids.push(id);
      return ids;
    },

    async close() {
      await noteCollection();
      for (const name of collections) await qdrant.deleteCollection(name);
      if (given === undefined) await databases.drop();
    },
  };
  return world;
}

export function newMemory(memory: Partial<NewMemory> & { text: string }): NewMemory {
  return {
    ...{ id: randomUUID(), type: 'knowledge', project: null, provenance: { kind: 'person' }, confidence: 1 },
    ...{ supersedes: null, expires_at: null },
    ...memory,
  };
}
