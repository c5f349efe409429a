import { createHash } from 'node:crypto';
import type { TransactionSql } from 'postgres';
import type { Sql } from './connect.ts';

export interface MadeVector {
  readonly embedded_sha256: Uint8Array;
  readonly vector: Float32Array;
}

export interface VectorRow {
  readonly identity: string;
  readonly embedded_sha256: Uint8Array;
  readonly vector: Uint8Array;
  readonly vector_sha256: Uint8Array;
}

export type VectorStore = ReturnType<typeof createVectorStore>;

/** Vectors by their identity and what was embedded: the truth that points are made from, and a cache. Data database. */
export function createVectorStore(sql: Sql) {
  return {
    /** Those that are there, by the hexadecimal sum of what was embedded. A row that is damaged is as good as none. */
    async find(identity: string, sums: readonly Uint8Array[]): Promise<Map<string, Float32Array>> {
      const rows = await sql<Omit<VectorRow, 'identity'>[]>`
        select embedded_sha256, vector, vector_sha256 from vectors
        where identity = ${identity} and embedded_sha256 = any(${sql.array(sums.map(toBuffer))}::bytea[])`;
      const whole = rows.filter(({ vector, vector_sha256 }) => sha256(vector).equals(vector_sha256));
      return new Map(whole.map(({ embedded_sha256, vector }) => [hex(embedded_sha256), vectorFrom(vector)]));
    },

    /** A vector that is there stays; a damaged one is replaced. */
    async keep(identity: string, made: readonly MadeVector[]): Promise<void> {
      if (made.length > 0) await insertVectors(sql, vectorRows(identity, made));
    },
  };
}

/** Also inside a transaction. Rows in one order, so that two writers of the same text never wait for each other. */
export async function insertVectors(sql: Sql | TransactionSql, rows: readonly VectorRow[]): Promise<void> {
  const columns = [...rows].sort((one, other) => Buffer.compare(one.embedded_sha256, other.embedded_sha256));
  await sql`
    insert into vectors (identity, embedded_sha256, vector, vector_sha256)
    select * from unnest(${columns.map(({ identity }) => identity)}::text[],
      ${sql.array(columns.map((row) => toBuffer(row.embedded_sha256)))}::bytea[],
      ${sql.array(columns.map((row) => toBuffer(row.vector)))}::bytea[],
      ${sql.array(columns.map((row) => toBuffer(row.vector_sha256)))}::bytea[])
    on conflict (identity, embedded_sha256) do update
      set vector = excluded.vector, vector_sha256 = excluded.vector_sha256
      where sha256(vectors.vector) <> vectors.vector_sha256`;
}

/** One a text: equal texts have one vector. */
export function vectorRows(identity: string, made: readonly MadeVector[]): VectorRow[] {
  const unique = new Map(made.map((each) => [hex(each.embedded_sha256), each]));
  return [...unique.values()].map(({ embedded_sha256, vector }) => {
    const bytes = vectorBytes(vector);
    return { identity, embedded_sha256, vector: bytes, vector_sha256: sha256(bytes) };
  });
}

/** float32, little endian. */
export function vectorBytes(vector: Float32Array): Buffer {
  const bytes = Buffer.allocUnsafe(vector.length * 4);
  vector.forEach((value, at) => bytes.writeFloatLE(value, at * 4));
  return bytes;
}

export function vectorFrom(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / 4 }, (_, at) => view.getFloat32(at * 4, true));
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hex(bytes: Uint8Array): string {
  return toBuffer(bytes).toString('hex');
}
