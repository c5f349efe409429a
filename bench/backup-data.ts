import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { QdrantClient } from '@qdrant/js-client-rest';
import { rebuildCollection } from '../adapters/backup/rebuild-collection.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { insertVectors, vectorRows } from '../adapters/postgres/vectors.ts';
import { normalise } from '../domain/embedding.ts';
import { collectionName } from '../domain/generation/ids.ts';

const identity = 'bench:384:mean:256:-';
/** Its points are shorter than the rows: text stays in Postgres. */
const chunksOfADocument = 20;
const rowsAtOnce = 2_000;

export interface BenchContents {
  /** Of each chunk, so that all are about as many bytes as were asked for. */
  readonly points: number;
  readonly gigabytes: number;
  readonly files: number;
}

/**
 * A project whose chunks have texts that compress as texts do, vectors of 384 numbers that do not, and its collection; and a folder of
 * files of 4 to 64 KiB. Returns the names.
 */
export async function makeContents(
  { data, qdrant, folder }: { readonly data: Sql; readonly qdrant: QdrantClient; readonly folder: string },
  { points, gigabytes, files }: BenchContents,
): Promise<{ readonly collection: string; readonly root: string }> {
  const collection = collectionName(identity, 'bench');
  const textBytes = Math.max(200, Math.round((gigabytes * 1e9) / points - 2_400));
  await data`insert into projects (id, version, spec, last_number, visible) values ('bench', 1, '{}', 1, 1)`;
  await data`
    insert into generations (project, number, parent, state, wave_id, collection, identity, incarnation)
    select 'bench', 1, 0, 'committed', gen_random_uuid(), ${collection}, ${identity}, id from incarnation`;
  for (let from = 1; from <= points; from += rowsAtOnce)
    await insertChunks(data, from, Math.min(points, from + rowsAtOnce - 1), textBytes);
  await data`vacuum analyze`;
  const watched = { signal: new AbortController().signal, beat: () => undefined };
  await rebuildCollection({ data, qdrant }, { collection, into: collection, ...watched });
  return { collection, root: await makeFiles(join(folder, 'files'), files) };
}

async function insertChunks(data: Sql, from: number, to: number, textBytes: number): Promise<void> {
  const made = Array.from({ length: to - from + 1 }, (_, at) => ({
    embedded_sha256: createHash('sha256')
      .update(`e${from + at}`)
      .digest(),
    vector: normalise(Float32Array.from({ length: 384 }, () => Math.random() - 0.5)),
  }));
  await insertVectors(data, vectorRows(identity, made));
  // A text of words: what is said of prose by every compressor.
  await data`
    insert into chunks (id, project, document, ordinal, heading, text_start, text_end, text, kind, embedded_sha256, identity, terms, weights, born)
    select md5('c' || n)::uuid, 'bench', md5('d' || n / ${chunksOfADocument})::uuid, n % ${chunksOfADocument}, '{}', 0, ${textBytes}::int,
      t.text, 'corpus', sha256(('e' || n)::bytea), ${identity},
      array(select (k * 104729 + n)::bigint from generate_series(1, 40) k), array(select (0.5 + 1.0 / k)::real from generate_series(1, 40) k), 1
    from generate_series(${from}::int, ${to}::int) n
    cross join lateral (select left(string_agg(substr(md5((n * 31 + k)::text), 1, 3 + k % 8), ' '), ${textBytes}) as text
      from generate_series(1, ${Math.ceil(textBytes / 7)}) k where n > 0) t`;
}

async function makeFiles(root: string, count: number): Promise<string> {
  for (let at = 0; at < count; at += 1) {
    const folder = join(root, String(at % 100));
    if (at < 100) await mkdir(folder, { recursive: true });
    const line = `file ${at} holds what a service has written down on day ${at % 365}\n`;
    await writeFile(join(folder, `${at}.txt`), line.repeat(60 + ((at * 7919) % 900)));
  }
  return root;
}
