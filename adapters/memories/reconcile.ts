import { dimensionsOf } from '../../domain/embedding.ts';
import { createLexicalOnly } from '../embeddings/embedder.ts';
import { besideEachOther } from '../generations/beside-each-other.ts';
import { createTombstoneStore } from '../postgres/memory-tombstones.ts';
import { createMemoryPointRows, type MemoryIndex } from '../postgres/memory-points.ts';
import {
  countMemoryPoints,
  ensureMemoryCollection,
  memoryPoints,
  removeMemoryPoints,
} from '../qdrant/memory-points.ts';
import { collectionOf, type MemoryCollection } from './collection.ts';
import { createMemoryPoints, type MemoryDeps } from './points.ts';

export interface MemoryReconciled {
  /** Rows that were forgotten and had come back. */
  readonly forgotten: number;
  readonly embedded: number;
  /** Points that were missing, or had the wrong form. */
  readonly put: number;
  /** Points without a row that a search may find. */
  readonly removed: number;
}

const idsAtOnce = 64;

export type MemoryReconciliation = ReturnType<typeof createMemoryReconciliation>;

/**
 * G12. What was forgotten is forgotten again, then points are made what the rows say: at boot, after a restart of Qdrant and after
 * every restore, also while others write. With another model than before, a new collection takes the place of the old one once
 * it is whole.
 */
export function createMemoryReconciliation(deps: MemoryDeps) {
  const { data, ops, qdrant, embeddings } = deps;
  const rows = createMemoryPointRows(data);
  const points = createMemoryPoints(deps);
  const tombstones = createTombstoneStore(ops);

  async function bury(signal: AbortSignal): Promise<number> {
    let forgotten = 0;
    for await (const ids of tombstones.all()) {
      signal.throwIfAborted();
      forgotten += await rows.bury(ids);
    }
    return forgotten;
  }

  /** A model that is only missing on this machine takes nothing away from the others. */
  function wanted(index: MemoryIndex): MemoryCollection {
    const keep = embeddings.identity === null && !embeddings.isAsked;
    return collectionOf(index, keep ? index.identity : embeddings.key);
  }

  async function fill(collection: MemoryCollection, signal: AbortSignal): Promise<Omit<MemoryReconciled, 'forgotten'>> {
    const total = { embedded: 0, put: 0, removed: 0 };
    const [missing, extra]: [string[], string[]] = [[], []];
    const put = async (): Promise<void> => {
      signal.throwIfAborted();
      const done = await points.put(missing.splice(0), collection, signal);
      total.embedded += done.embedded;
      total.put += done.put;
    };
    const remove = async (): Promise<void> => {
      signal.throwIfAborted();
      // Looked up again: a row that was written meanwhile was there before its point.
      const there = await rows.current(extra);
      const gone = extra.splice(0).filter((id) => !there.has(id));
      if (gone.length > 0) await removeMemoryPoints(qdrant, collection.name, gone);
      total.removed += gone.length;
    };
    for await (const [row, point] of besideEachOther(rows.all(), memoryPoints(qdrant, collection.name))) {
      if (row !== null && point === null) missing.push(row.id);
      if (row === null && point !== null) extra.push(point.id);
      if (missing.length === idsAtOnce) await put();
      if (extra.length === idsAtOnce) await remove();
    }
    if (missing.length > 0) await put();
    if (extra.length > 0) await remove();
    return total;
  }

  async function all(signal: AbortSignal): Promise<MemoryReconciled> {
    const forgotten = await bury(signal);
    await rows.ensureIndex(embeddings.key);
    const index = await rows.index();
    if (index === null) throw new Error('The index of memories is gone');
    const collection = wanted(index);
    await ensureMemoryCollection(qdrant, collection.name, dimensionsOf(collection.identity));
    const done = await fill(collection, signal);
    if (collection.identity !== index.identity) {
      await rows.switchIndex(collection.identity);
      await qdrant.deleteCollection(collectionOf(index).name);
    }
    return { forgotten, ...done };
  }

  return {
    all,

    /**
     * For a restore, while nobody may write: a model that is away, or has more to embed than this time allows, is done without.
     * `later`: why, and `all` has to be done again; null: all of it was done.
     */
    async inTime(ms: number, signal: AbortSignal): Promise<MemoryReconciled & { readonly later: string | null }> {
      try {
        return { ...(await all(AbortSignal.any([signal, AbortSignal.timeout(ms)]))), later: null };
      } catch (error) {
        signal.throwIfAborted();
        const later = error instanceof Error ? error.message : String(error);
        const without = { ...deps, embeddings: createLexicalOnly(later, { isAsked: false }) };
        return { ...(await createMemoryReconciliation(without).all(signal)), later };
      }
    },

    /** Counts alone, and so cheap: whether `all` has anything to do. */
    async differs(): Promise<boolean> {
      const [index, count] = [await rows.index(), await rows.count()];
      if (index === null) return count > 0;
      return (await countMemoryPoints(qdrant, collectionOf(index).name)) !== count;
    },
  };
}
