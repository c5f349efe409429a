import type { TransactionSql } from 'postgres';
import { dimensionsOf } from '../../domain/embedding.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import type { BornChunk } from './chunk-incarnations.ts';
import { insertVectors, vectorFrom, vectorRows, type MadeVector, type VectorRow } from './vectors.ts';

/**
 * Keeps the vectors of chunks and returns, by hash of what was embedded in hex, those that count: the first one that was
 * stored, so that rows and points of every attempt have the same. Throws PermanentFailure `VectorMissing`, and
 * `CollectionMismatch` for one of other dimensions. Empty where nothing is embedded.
 */
export async function keepVectors(
  tx: TransactionSql,
  identity: string,
  born: readonly BornChunk[],
): Promise<ReadonlyMap<string, Float32Array>> {
  const dimensions = dimensionsOf(identity);
  if (dimensions === null) return new Map();
  const given = new Map<string, MadeVector>();
  for (const { chunk } of born) {
    const { embedded_sha256, vector } = chunk;
    if (vector === null) continue;
    given.set(hex(embedded_sha256), { embedded_sha256, vector: ofDimensions(vector, dimensions, identity) });
  }
  const rows = vectorRows(identity, [...given.values()]);
  if (rows.length > 0) await insertVectors(tx, rows);
  const stored = await others(tx, identity, rows, born);
  return new Map([...[...given].map(([sha, { vector }]) => [sha, vector] as const), ...stored]);
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Those that another one had stored before, and those that were not handed over. */
async function others(
  tx: TransactionSql,
  identity: string,
  given: readonly VectorRow[],
  born: readonly BornChunk[],
): Promise<Map<string, Float32Array>> {
  const known = new Map(born.map(({ chunk }) => [hex(chunk.embedded_sha256), '']));
  for (const row of given) known.set(hex(row.embedded_sha256), hex(row.vector_sha256));
  const rows = await tx<{ sha: string; vector: Buffer | null; there: boolean }[]>`
    select w.sha, v.vector is not null as there,
      case when v.vector_sha256 <> decode(w.known, 'hex') then v.vector end as vector
    from unnest(${[...known.keys()]}::text[], ${[...known.values()]}::text[]) as w(sha, known)
    left join vectors v on v.identity = ${identity} and v.embedded_sha256 = decode(w.sha, 'hex')`;
  const missing = rows.filter(({ there }) => !there).length;
  if (missing > 0) throw new PermanentFailure('VectorMissing', `${missing} chunks have no vector under ${identity}`);
  return new Map(rows.flatMap(({ sha, vector }) => (vector === null ? [] : [[sha, vectorFrom(vector)]])));
}

function ofDimensions(vector: Float32Array, dimensions: number, identity: string): Float32Array {
  if (vector.length === dimensions) return vector;
  const message = `A vector of ${vector.length} numbers is none of ${identity}`;
  throw new PermanentFailure('CollectionMismatch', message);
}
