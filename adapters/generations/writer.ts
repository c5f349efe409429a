import type { QdrantClient } from '@qdrant/js-client-rest';
import { PermanentFailure } from '../../domain/failures.ts';
import { alive, type GenerationRef } from '../../domain/generation/generation.ts';
import type { DocumentMove, DocumentWrite } from '../../domain/generation/writing.ts';
import type { Sql } from '../postgres/connect.ts';
import { requireWritable } from '../postgres/generation-writing.ts';
import { createIncarnationStore, type Also } from '../postgres/incarnations.ts';
import { putPoints, removePoints, setDied, type Guard } from '../qdrant/points.ts';

export interface WriteOptions {
  /** Of the attempt: nothing is sent after it. */
  readonly signal?: AbortSignal;
  /** In the transaction of the rows. */
  readonly also?: Also;
  /** G9. Does the caller still hold its lock? Asked before each request to Qdrant. */
  readonly holds?: () => Promise<boolean>;
}

export interface Written {
  readonly chunks: number;
  readonly born: number;
  readonly kept: number;
  readonly died: number;
}

export type GenerationWriter = ReturnType<typeof createGenerationWriter>;

/**
 * What a wave writes, in both stores: rows first, which Postgres fences, points after. Whatever dies in between is written again by
 * the next attempt, which comes to the same. Throws PermanentFailure `GenerationClosed` or `IncarnationChanged` when the wave may
 * not write any more.
 */
export function createGenerationWriter({ sql, qdrant }: { readonly sql: Sql; readonly qdrant: QdrantClient }) {
  const rows = createIncarnationStore(sql);
  return {
    /** Documents that are elsewhere now, with the same content: no point is touched. */
    move: (ref: GenerationRef, moves: readonly DocumentMove[], { also }: WriteOptions = {}): Promise<void> =>
      rows.move(ref, moves, also),

    /** Documents that are gone. */
    async remove(ref: GenerationRef, keys: readonly string[], options: WriteOptions = {}): Promise<{ died: number }> {
      await rows.remove(ref, keys, options.also);
      let died = 0;
      for await (const page of rows.removed(ref, keys)) {
        for (const [collection, ids] of grouped(page)) {
          await setDied(qdrant, { collection, project: ref.project }, ids, ref.number, writeGuard(sql, ref, options));
        }
        died += page.length;
      }
      return { died };
    },

    /** Documents as they are to be at this generation; what they were before stays what others see. */
    async write(ref: GenerationRef, documents: readonly DocumentWrite[], options: WriteOptions = {}): Promise<Written> {
      const written = await rows.write(ref, documents, options.also);
      const guard = writeGuard(sql, ref, options);
      const own = { collection: written.collection, project: ref.project };
      await putPoints(qdrant, written.collection, written.points, guard);
      for (const [collection, ids] of written.died) {
        await setDied(qdrant, { collection, project: ref.project }, ids, ref.number, guard);
      }
      await setDied(qdrant, own, written.revived, alive, guard);
      await removePoints(qdrant, own, written.stray, guard);
      const born = written.points.length;
      const died = [...written.died.values()].flat().length;
      return { chunks: born + written.kept, born, kept: written.kept, died };
    },
  };
}

/** G9. Qdrant has no fencing: this is asked before each request to it. Throws PermanentFailure `LockLost`, and as writes do. */
export function writeGuard(sql: Sql, ref: GenerationRef, { signal, holds }: WriteOptions): Guard {
  return async () => {
    signal?.throwIfAborted();
    if (holds !== undefined && !(await holds())) throw new PermanentFailure('LockLost', 'The lock of this run is gone');
    await requireWritable(sql, ref);
  };
}

function grouped(page: readonly { readonly id: string; readonly collection: string }[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { id, collection } of page) groups.set(collection, [...(groups.get(collection) ?? []), id]);
  return groups;
}
