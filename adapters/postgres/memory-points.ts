import { createHash } from 'node:crypto';
import { lexicalOnly } from '../../domain/embedding.ts';
import type { SparseVector } from '../../domain/lexical/weights.ts';
import type postgres from 'postgres';
import type { Sql } from './connect.ts';
import { isCurrent } from './memories.ts';
import { vectorBytes, vectorFrom } from './vectors.ts';

/** What memories are answered from. */
export interface MemoryIndex {
  readonly space: string;
  readonly database: string;
  readonly identity: string;
}

/** Everything that the point of a memory is made of. */
export interface MemoryPoint {
  readonly id: string;
  readonly type: string;
  readonly project: string | null;
  readonly terms: SparseVector;
  /** null: nothing is embedded under this identity. */
  readonly dense: Float32Array | null;
}

interface PointRow extends Pick<MemoryPoint, 'id' | 'type' | 'project'> {
  readonly terms: readonly string[];
  readonly weights: readonly number[];
  readonly vector: Buffer | null;
  readonly vector_sha256: Buffer | null;
}

const idsAtOnce = 1_000;

export type MemoryPointRows = ReturnType<typeof createMemoryPointRows>;

/** G12. The rows that points of memories are made from. Data database. */
export function createMemoryPointRows(data: Sql) {
  return {
    /** null: nothing was ever remembered here. */
    async index(): Promise<MemoryIndex | null> {
      const [row] = await data<MemoryIndex[]>`
        select space, identity, current_database() as database from memory_index`;
      return row ?? null;
    },

    /** Whoever comes first says by which identity. */
    async ensureIndex(identity: string): Promise<void> {
      await data`insert into memory_index (identity) values (${identity}) on conflict do nothing`;
    },

    /** From now on it is answered from this one; vectors of any other are gone. */
    switchIndex: (identity: string): Promise<void> =>
      data.begin(async (tx) => {
        await tx`update memory_index set identity = ${identity}`;
        await tx`delete from memory_vectors where identity <> ${identity}`;
      }),

    /** Of what a search may find. */
    async count(): Promise<number> {
      const [row] = await data<{ count: string }[]>`select count(*) from memories where ${isCurrent(data)}`;
      return Number(row?.count);
    },

    /** Those of them that a search may find. */
    async current(ids: readonly string[]): Promise<Set<string>> {
      const rows = await data<{ id: string }[]>`
        select id from memories where id = any(${[...ids]}::uuid[]) and ${isCurrent(data)}`;
      return new Set(rows.map(({ id }) => id));
    },

    /** Ids of all that a search may find, in their order. */
    async *all(): AsyncGenerator<{ readonly id: string }> {
      for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
        const rows = await data<{ id: string }[]>`
          select id from memories where id > ${after} and ${isCurrent(data)} order by id limit ${idsAtOnce}`;
        yield* rows;
        const last = rows.at(-1);
        if (last === undefined) return;
        after = last.id;
      }
    },

    /** Those of them that have no whole vector of this identity, with what is to be embedded. */
    withoutVector: (ids: readonly string[], identity: string): Promise<{ id: string; text: string }[]> =>
      data<{ id: string; text: string }[]>`
        select id, text from memories m where id = any(${[...ids]}::uuid[]) and ${isCurrent(data)}
          and not exists (select 1 from memory_vectors v
            where v.memory = m.id and v.identity = ${identity} and sha256(v.vector) = v.vector_sha256)`,

    /** How many a search by meaning cannot find, of these projects and of no project. */
    async waiting(projects: readonly string[], identity: string): Promise<number> {
      const [row] = await data<{ count: string }[]>`
        select count(*) from memories m where (project is null or project = any(${[...projects]})) and ${isCurrent(data)}
          and not exists (select 1 from memory_vectors v where v.memory = m.id and v.identity = ${identity})`;
      return Number(row?.count);
    },

    /** What was forgotten meanwhile is left out. */
    async keepVector(memory: string, identity: string, vector: Float32Array): Promise<void> {
      const bytes = vectorBytes(vector);
      await data`
        insert into memory_vectors (memory, identity, vector, vector_sha256)
        select id, ${identity}, ${bytes}, sha256(${bytes}::bytea) from memories where id = ${memory}
        on conflict (memory, identity) do update set vector = excluded.vector, vector_sha256 = excluded.vector_sha256`;
    },

    /** While `put` runs none of these is forgotten: whoever forgets one removes its point after it was put. */
    whileThere: (
      ids: readonly string[],
      identity: string,
      put: (points: readonly MemoryPoint[]) => Promise<void>,
    ): Promise<number> =>
      data.begin(async (tx) => {
        const points = await pointsOf(tx, ids, identity);
        if (points.length > 0) await put(points);
        return points.length;
      }),

    /** Rows that a restore brought back. */
    async bury(ids: readonly string[]): Promise<number> {
      return (await data`delete from memories where id = any(${[...ids]}::uuid[])`).count;
    },
  };
}

async function pointsOf(tx: postgres.TransactionSql, ids: readonly string[], identity: string): Promise<MemoryPoint[]> {
  const rows = await tx<PointRow[]>`
    select m.id, m.type, m.project, m.terms, m.weights, v.vector, v.vector_sha256
    from memories m left join memory_vectors v on v.memory = m.id and v.identity = ${identity}
    where m.id = any(${[...ids]}::uuid[]) and ${isCurrent(tx)} for share of m`;
  const whole = identity === lexicalOnly ? rows : rows.filter(isWhole);
  return whole.map(({ id, type, project, terms, weights, vector }) => ({
    ...{ id, type, project, terms: { indices: terms.map(Number), values: weights } },
    dense: identity === lexicalOnly || vector === null ? null : vectorFrom(vector),
  }));
}

/** A damaged vector is as good as none: it is made again. */
function isWhole({ vector, vector_sha256 }: PointRow): boolean {
  return (
    vector !== null &&
    createHash('sha256')
      .update(vector)
      .digest()
      .equals(vector_sha256 ?? Buffer.alloc(0))
  );
}
