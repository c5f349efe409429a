import { chunkWeights } from '../../domain/lexical/weights.ts';
import { createMemoryStore, type NewMemory, type StoredMemory } from '../postgres/memories.ts';
import { createTombstoneStore, type Tombstone } from '../postgres/memory-tombstones.ts';
import { createMemoryPoints, type MemoryDeps } from './points.ts';

/** `forgotten`: what had this id is not to be remembered again. */
export type Created =
  | { readonly ok: true; readonly memory: StoredMemory; readonly indexed: boolean }
  | { readonly ok: false; readonly reason: 'unknown' | 'taken' | 'forgotten' };

export interface Forgotten {
  readonly tombstone: Tombstone;
  /** `pending`: what is away keeps it; it goes when the points are compared with the rows next. */
  readonly point: 'removed' | 'pending';
}

export type Memories = ReturnType<typeof createMemories>;

/** A row that is written is kept; whether it is found already is waited for no longer than this. */
const indexWithinMs = 10_000;

/** Rows C6, rule G12: rows first, points after. */
export function createMemories(deps: MemoryDeps) {
  const store = createMemoryStore(deps.data);
  const tombstones = createTombstoneStore(deps.ops);
  const points = createMemoryPoints(deps);

  return {
    find: store.find,
    list: store.list,

    /** A second time with the same id: what is there. Rejects when Postgres is away. */
    async create(memory: NewMemory, actor: string): Promise<Created> {
      if ((await tombstones.find(memory.id)) !== null) return { ok: false, reason: 'forgotten' };
      const stored = await store.create(memory, chunkWeights(memory.text), actor);
      if (!stored.ok) return stored;
      const indexed = await reached(async () => {
        const collection = await points.ensure();
        const { put } = await points.put([memory.id], collection, AbortSignal.timeout(indexWithinMs));
        if (memory.supersedes !== null) await points.remove([memory.supersedes]);
        return put === 1;
      });
      return { ok: true, memory: stored.memory, indexed: indexed ?? false };
    },

    /** The tombstone comes first: whatever ends this, the next comparison finishes it. null: there never was one of this id. */
    async forget(id: string, { actor, reason }: { actor: string; reason: string | null }): Promise<Forgotten | null> {
      const memory = await store.find(id);
      if (memory !== null) {
        const { project, type } = memory;
        await tombstones.put({ memory: id, project, type, actor, reason });
      }
      const tombstone = await tombstones.find(id);
      if (tombstone === null) return null;
      await store.forget(id, actor);
      const removed = await reached(async () => {
        await points.remove([id]);
        return true;
      });
      return { tombstone, point: removed === true ? 'removed' : 'pending' };
    },
  };
}

/** null: Qdrant or the model is away, or too slow. What was begun may still be done. */
async function reached<T>(work: () => Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, indexWithinMs, null);
  });
  try {
    return await Promise.race([work().catch(() => null), late]);
  } finally {
    clearTimeout(timer);
  }
}
