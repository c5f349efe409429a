import type { QdrantClient } from '@qdrant/js-client-rest';
import { dimensionsOf, lexicalOnly } from '../../domain/embedding.ts';
import type { Embeddings } from '../embeddings/embedder.ts';
import type { Sql } from '../postgres/connect.ts';
import { createMemoryPointRows } from '../postgres/memory-points.ts';
import { ensureMemoryCollection, putMemoryPoints, removeMemoryPoints } from '../qdrant/memory-points.ts';
import { memoryCollection, type MemoryCollection } from './collection.ts';

export interface MemoryDeps {
  /** The data database. */
  readonly data: Sql;
  /** The operations database. */
  readonly ops: Sql;
  readonly qdrant: QdrantClient;
  readonly embeddings: Embeddings;
}

export type MemoryPoints = ReturnType<typeof createMemoryPoints>;

export interface PutMemories {
  /** Points that are what their rows say. */
  readonly put: number;
  readonly embedded: number;
}

/** Makes points of rows, in whichever collection it is told; what a row says of its vector comes first. */
export function createMemoryPoints({ data, qdrant, embeddings }: Omit<MemoryDeps, 'ops'>) {
  const rows = createMemoryPointRows(data);

  /** Only where this process has the model: what it has not is left to one that has. */
  async function embed(ids: readonly string[], identity: string, signal: AbortSignal): Promise<number> {
    if (identity === lexicalOnly || embeddings.identity === null || embeddings.key !== identity) return 0;
    const missing = await rows.withoutVector(ids, identity);
    if (missing.length === 0) return 0;
    const texts = missing.map(({ text }) => text);
    const vectors = await embeddings.embed(texts, 'passage', signal);
    for (const [at, { id }] of missing.entries()) {
      const vector = vectors[at];
      if (vector === undefined) throw new Error('an embedder gives one vector a text');
      await rows.keepVector(id, identity, vector);
    }
    return missing.length;
  }

  return {
    async put(ids: readonly string[], { name, identity }: MemoryCollection, signal: AbortSignal): Promise<PutMemories> {
      const embedded = await embed(ids, identity, signal);
      const put = await rows.whileThere(ids, identity, (points) => putMemoryPoints(qdrant, name, points));
      return { put, embedded };
    },

    /** The collection that is answered from, made where it is missing. */
    async ensure(): Promise<MemoryCollection> {
      await rows.ensureIndex(embeddings.key);
      const collection = await memoryCollection(data);
      if (collection === null) throw new Error('The index of memories is gone');
      await ensureMemoryCollection(qdrant, collection.name, dimensionsOf(collection.identity));
      return collection;
    },

    async remove(ids: readonly string[]): Promise<void> {
      const collection = await memoryCollection(data);
      if (collection === null || !(await qdrant.collectionExists(collection.name)).exists) return;
      await removeMemoryPoints(qdrant, collection.name, ids);
    },
  };
}
