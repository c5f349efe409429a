import type { TransactionSql } from 'postgres';
import { PermanentFailure } from '../../domain/failures.ts';
import { alive, type GenerationRef } from '../../domain/generation/generation.ts';
import { documentId } from '../../domain/generation/ids.ts';
import type { DocumentMove, DocumentWrite } from '../../domain/generation/writing.ts';

/** What was alive of these documents dies with the wave's number. */
export async function retireVersions(
  tx: TransactionSql,
  { project, number }: GenerationRef,
  keys: readonly string[],
): Promise<void> {
  await tx`
    update documents set died = ${number}
    where project = ${project} and key = any(${[...keys]}) and born < ${number} and died = ${alive}`;
}

/**
 * What holds a path that another document takes moves or goes in the same wave, by a page that is perhaps not written yet: one
 * path is one file. If it did not, its chunks would be left without a document, which the proof refuses.
 */
async function freePaths(
  tx: TransactionSql,
  { project, number }: GenerationRef,
  places: readonly { readonly source: string; readonly path: string }[],
): Promise<void> {
  const wanted = places.map(({ source, path }) => ({ source, path }));
  await tx`
    update documents d set died = ${number}
    from jsonb_to_recordset(${tx.json(wanted)}) as w(source text, path text)
    where d.project = ${project} and d.source = w.source and d.path = w.path and d.born < ${number} and d.died = ${alive}`;
}

/** What an attempt before this one wrote under the same number becomes what this one says. */
export async function writeVersions(
  tx: TransactionSql,
  ref: GenerationRef,
  documents: readonly DocumentWrite[],
): Promise<void> {
  const { project, number } = ref;
  await freePaths(
    tx,
    ref,
    documents.map(({ document }) => document),
  );
  const rows = documents.map(({ document, chunks }) => ({
    ...document,
    ...{ id: documentId(project, document.key, number), project, born: number, chunks: chunks.length },
    content_sha256: bytea(document.content_sha256),
  }));
  await orCollide(tx`
    insert into documents (id, project, key, source, path, uri, title, media_type, kind, as_of, view, item,
      supersedes, content_sha256, pipeline, bytes, chunks, born)
    select id, project, key, source, path, uri, title, media_type, kind, as_of, view, item,
      supersedes, content_sha256, pipeline, bytes, chunks, born
    from jsonb_populate_recordset(null::documents, ${tx.json(rows)})
    on conflict (id) do update set source = excluded.source, path = excluded.path, uri = excluded.uri,
      title = excluded.title, media_type = excluded.media_type, kind = excluded.kind, as_of = excluded.as_of,
      view = excluded.view, item = excluded.item, supersedes = excluded.supersedes, content_sha256 = excluded.content_sha256,
      pipeline = excluded.pipeline, bytes = excluded.bytes, chunks = excluded.chunks`);
}

/** Everything but the place is what it was at the parent. */
export async function writeMoved(
  tx: TransactionSql,
  { project, number, incarnation }: GenerationRef,
  parent: number,
  moves: readonly DocumentMove[],
): Promise<void> {
  const rows = moves.map((move) => ({ ...move, id: documentId(project, move.key, number) }));
  const places = await tx<{ source: string; path: string }[]>`
    select d.source, m.path from jsonb_to_recordset(${tx.json(rows)}) as m(key uuid, path text)
    join documents d on d.project = ${project} and d.key = m.key and d.born <= ${parent} and d.died > ${parent}`;
  await freePaths(tx, { project, number, incarnation }, places);
  await orCollide(tx`
    insert into documents (id, project, key, source, path, uri, title, media_type, kind, as_of, view, item,
      supersedes, content_sha256, pipeline, bytes, chunks, born)
    select m.id, d.project, d.key, d.source, m.path, m.uri, coalesce(m.title, d.title), d.media_type, d.kind, d.as_of,
      d.view, d.item, d.supersedes, d.content_sha256, d.pipeline, d.bytes, d.chunks, ${number}
    from jsonb_to_recordset(${tx.json(rows)}) as m(id uuid, key uuid, path text, uri text, title text)
    join documents d on d.project = ${project} and d.key = m.key and d.born <= ${parent} and d.died > ${parent}
    on conflict (id) do update set path = excluded.path, uri = excluded.uri, title = excluded.title`);
}

/** For json: the way in which Postgres reads bytes. */
export function bytea(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}

async function orCollide(insert: PromiseLike<unknown>): Promise<void> {
  try {
    await insert;
  } catch (error) {
    const { code, constraint_name, detail } = error as Record<
      'code' | 'constraint_name' | 'detail',
      string | undefined
    >;
    if (code !== '23505' || constraint_name?.startsWith('documents_') !== true) throw error;
    throw new PermanentFailure('DocumentsCollide', `Two documents would be in one place: ${detail ?? constraint_name}`);
  }
}
