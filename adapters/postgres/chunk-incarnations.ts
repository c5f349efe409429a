import type { TransactionSql } from 'postgres';
import { alive, type GenerationRef } from '../../domain/generation/generation.ts';
import { chunkKey } from '../../domain/generation/ids.ts';
import {
  diffIncarnations,
  type IncarnationDiff,
  type StoredIncarnation,
} from '../../domain/generation/incarnation-diff.ts';
import type { DocumentWrite, NewChunk } from '../../domain/generation/writing.ts';
import { bytea } from './document-versions.ts';
import type { OpenGeneration } from './generation-writing.ts';

/** A chunk that is born with the wave. */
export interface BornChunk {
  readonly id: string;
  readonly document: string;
  readonly kind: string;
  readonly chunk: NewChunk;
}

/** What a wave does to the chunks of some documents. */
export interface ChunkChanges {
  readonly born: readonly BornChunk[];
  readonly kept: number;
  readonly died: readonly { readonly id: string; readonly collection: string }[];
  readonly revived: readonly string[];
  readonly stray: readonly string[];
}

/** Against what was alive at the parent, whatever attempts of this wave have done since. */
export async function chunkChanges(
  tx: TransactionSql,
  ref: GenerationRef,
  open: OpenGeneration,
  documents: readonly DocumentWrite[],
): Promise<ChunkChanges> {
  const stored = await storedIncarnations(
    tx,
    ref,
    open.parent,
    documents.map(({ document }) => document.key),
  );
  const collections = new Map([...stored.values()].flat().map(({ id, collection }) => [id, collection]));
  const changes = documents.map((written): { written: DocumentWrite; diff: IncarnationDiff } => {
    const { key, kind } = written.document;
    const keys = written.chunks.map((chunk) => chunkKey({ ...chunk, document: key, kind }));
    const wanted = { project: ref.project, keys, collection: open.collection };
    return { written, diff: diffIncarnations(wanted, stored.get(key) ?? [], ref.number) };
  });
  const ids = (of: 'kept' | 'died' | 'revived' | 'stray'): string[] => changes.flatMap(({ diff }) => diff[of]);
  return {
    born: changes.flatMap(({ written, diff }) => bornOf(written, diff)),
    kept: ids('kept').length,
    died: ids('died').map((id) => ({ id, collection: collections.get(id) ?? open.collection })),
    revived: ids('revived'),
    stray: ids('stray'),
  };
}

function bornOf({ document, chunks }: DocumentWrite, { born }: IncarnationDiff): BornChunk[] {
  return chunks.flatMap((chunk, at) => {
    const id = born.get(at);
    return id === undefined ? [] : [{ id, document: document.key, kind: document.kind, chunk }];
  });
}

type IncarnationRow = Parameters<typeof chunkKey>[0] & {
  readonly id: string;
  readonly collection: string;
  readonly born: string;
  readonly died: string;
};

async function storedIncarnations(
  tx: TransactionSql,
  { project, number }: GenerationRef,
  parent: number,
  keys: readonly string[],
): Promise<Map<string, StoredIncarnation[]>> {
  const rows = await tx<IncarnationRow[]>`
    select c.id, c.document, c.ordinal, c.heading, c.text_start, c.text_end, c.place, c.kind, c.embedded_sha256, c.born,
      c.died, g.collection
    from chunks c join generations g on g.project = c.project and g.number = c.born
    where c.project = ${project} and c.document = any(${[...keys]})
      and (c.born = ${number} or c.born <= ${parent} and c.died > ${parent})`;
  const byDocument = new Map<string, StoredIncarnation[]>();
  for (const row of rows) {
    const { id, document, collection } = row;
    const stored = { id, collection, key: chunkKey(row), born: Number(row.born), died: Number(row.died) };
    byDocument.set(document, [...(byDocument.get(document) ?? []), stored]);
  }
  return byDocument;
}

/** In the order of ids everywhere, so that two attempts wait for each other and never both. */
export async function applyChanges(
  tx: TransactionSql,
  ref: GenerationRef,
  identity: string,
  { born, died, revived, stray }: ChunkChanges,
): Promise<void> {
  const { number } = ref;
  const dying = died.map(({ id }) => id);
  if (dying.length > 0) await tx`update chunks set died = ${number} where id = any(${dying}) and died = ${alive}`;
  if (revived.length > 0)
    await tx`update chunks set died = ${alive} where id = any(${[...revived]}) and died = ${number}`;
  if (stray.length > 0) await tx`delete from chunks where id = any(${[...stray]}) and born = ${number}`;
  for (let at = 0; at < born.length; at += rowsAtOnce) {
    await insertChunks(tx, ref, identity, born.slice(at, at + rowsAtOnce));
  }
}

const rowsAtOnce = 500;

async function insertChunks(
  tx: TransactionSql,
  { project, number }: GenerationRef,
  identity: string,
  born: readonly BornChunk[],
): Promise<void> {
  const rows = born.map(({ chunk, ...row }) => ({
    ...{ ...row, ...chunk, project, identity, born: number },
    embedded_sha256: bytea(chunk.embedded_sha256),
    // It has a row of its own.
    vector: undefined,
  }));
  // As text: read in half the time that jsonb takes to be made and read.
  await tx`
    insert into chunks (id, project, document, ordinal, heading, text_start, text_end, place, text, kind, embedded_sha256,
      identity, terms, weights, born)
    select id, project, document, ordinal, heading, text_start, text_end, place, text, kind, embedded_sha256,
      identity, terms, weights, born
    from json_populate_recordset(null::chunks, ${JSON.stringify(rows)}::text::json)
    order by id on conflict (id) do nothing`;
}
