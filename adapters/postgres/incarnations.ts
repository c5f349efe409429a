import type { TransactionSql } from 'postgres';
import { alive, type GenerationRef } from '../../domain/generation/generation.ts';
import type { DocumentMove, DocumentWrite, Point, WrittenRows } from '../../domain/generation/writing.ts';
import { applyChanges, chunkChanges, type BornChunk, type ChunkChanges } from './chunk-incarnations.ts';
import type { Sql } from './connect.ts';
import { retireVersions, writeMoved, writeVersions } from './document-versions.ts';
import { openForWriting } from './generation-writing.ts';
import { hex, keepVectors } from './incarnation-vectors.ts';

/** Something of the caller's that is to be true exactly when the rows are. */
export type Also = (tx: TransactionSql) => Promise<void>;

export type IncarnationStore = ReturnType<typeof createIncarnationStore>;

/**
 * The rows of a wave (G2, G3). Each call is one transaction, which may be repeated, also while another attempt of it runs. It
 * throws PermanentFailure `IncarnationChanged` or `GenerationClosed` when the wave may not write any more.
 */
export function createIncarnationStore(sql: Sql) {
  return {
    /** Sets each document at this generation to exactly this. */
    write: (ref: GenerationRef, documents: readonly DocumentWrite[], also?: Also): Promise<WrittenRows> =>
      sql.begin(async (tx) => {
        const open = await openForWriting(tx, ref);
        const keys = documents.map(({ document }) => document.key);
        await oneAttemptAtATime(tx, ref, keys);
        const changes = await chunkChanges(tx, ref, open, documents);
        const vectors = await keepVectors(tx, open.identity, changes.born);
        await retireVersions(tx, ref, keys);
        await writeVersions(tx, ref, documents);
        await applyChanges(tx, ref, open.identity, changes);
        await also?.(tx);
        return writtenRows(ref, open.collection, changes, vectors);
      }),

    /** New versions of documents whose content is what it was. Their chunks stay. */
    move: (ref: GenerationRef, moves: readonly DocumentMove[], also?: Also): Promise<void> =>
      sql.begin(async (tx) => {
        const { parent } = await openForWriting(tx, ref);
        await retireVersions(
          tx,
          ref,
          moves.map(({ key }) => key),
        );
        await writeMoved(tx, ref, parent, moves);
        await also?.(tx);
      }),

    /** The end of documents, and of their chunks. */
    remove: (ref: GenerationRef, keys: readonly string[], also?: Also): Promise<void> =>
      sql.begin(async (tx) => {
        await openForWriting(tx, ref);
        await retireVersions(tx, ref, keys);
        await tx`
          update chunks set died = ${ref.number} where project = ${ref.project} and document = any(${[...keys]})
            and born < ${ref.number} and died = ${alive}`;
        await also?.(tx);
      }),

    /**
     * Page by page, the chunks that `remove` has ended: their points have to follow. No connection is held between pages: whoever
     * takes one asks for another before each request to Qdrant.
     */
    async *removed(
      { project, number }: GenerationRef,
      keys: readonly string[],
    ): AsyncGenerator<readonly { id: string; collection: string }[]> {
      for (let at = 0; at < keys.length; at += keysAtOnce)
        yield await sql<{ id: string; collection: string }[]>`
          select c.id, g.collection from chunks c join generations g on g.project = c.project and g.number = c.born
          where c.project = ${project} and c.document = any(${keys.slice(at, at + keysAtOnce)}) and c.died = ${number}`;
    },
  };
}

const keysAtOnce = 25;

/** An attempt that timed out may still be running; the one after it then finds what it did. */
async function oneAttemptAtATime(
  tx: TransactionSql,
  { number }: GenerationRef,
  keys: readonly string[],
): Promise<void> {
  const first = keys.toSorted()[0] ?? '';
  await tx`select pg_advisory_xact_lock(hashtextextended(${`holdfast.write/${first}/${number}`}, 0))`;
}

function writtenRows(
  { project, number }: GenerationRef,
  collection: string,
  { born, kept, died, revived, stray }: ChunkChanges,
  vectors: ReadonlyMap<string, Float32Array>,
): WrittenRows {
  const byCollection = new Map<string, string[]>();
  for (const { id, collection: where } of died) byCollection.set(where, [...(byCollection.get(where) ?? []), id]);
  const point = ({ id, kind, chunk }: BornChunk): Point => ({
    ...{ id, project, kind, born: number, died: alive, terms: chunk.terms, weights: chunk.weights },
    dense: vectors.get(hex(chunk.embedded_sha256)) ?? null,
  });
  return { collection, points: born.map(point), kept, died: byCollection, revived, stray };
}
