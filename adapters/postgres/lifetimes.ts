import type { TransactionSql } from 'postgres';
import type { Count, RowMarks } from '../../domain/generation/comparison.ts';
import type { Point } from '../../domain/generation/writing.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { lexicalOnly } from '../../domain/embedding.ts';
import type { Sql } from './connect.ts';
import { requireIncarnation } from './database-incarnation.ts';
import { vectorFrom } from './vectors.ts';

export interface RowHead {
  readonly id: string;
  readonly died: number;
}

/** Chunks as the points have to be: what the two stores are compared by, and what points are made of again (G3, G9). */
export function createLifetimeStore(sql: Sql) {
  return {
    /** Where points of a project are, or once were, with the embedding identity of each collection. */
    async collections(project: string): Promise<ReadonlyMap<string, string>> {
      const rows = await sql<{ collection: string; identity: string }[]>`
        select distinct collection, identity from generations where project = ${project} order by collection`;
      return new Map(rows.map(({ collection, identity }) => [collection, identity]));
    },

    /** How many rows have each number, of those that are not to be collected. */
    async counts(project: string, gcFloor: number): Promise<Count[]> {
      const rows = await sql<{ collection: string; born: string; died: string; count: string }[]>`
        select g.collection, c.born, c.died, c.count
        from (select born, died, count(*) from chunks where project = ${project} and died > ${gcFloor} group by born, died) c
        join generations g on g.project = ${project} and g.number = c.born`;
      return rows.flatMap(({ collection, born, died, count }): Count[] => [
        { collection, mark: 'born', number: Number(born), count: Number(count) },
        { collection, mark: 'died', number: Number(died), count: Number(count) },
      ]);
    },

    /** In the order of their ids. */
    async *withNumber(
      project: string,
      { collection, mark, number }: Omit<Count, 'count'>,
      gcFloor: number,
    ): AsyncGenerator<RowHead> {
      const pages = sql<{ id: string; died: string }[]>`
        select c.id, c.died from chunks c join generations g on g.project = c.project and g.number = c.born
        where c.project = ${project} and g.collection = ${collection} and ${sql(`c.${mark}`)} = ${number}
          and c.died > ${gcFloor}
        order by c.id`.cursor(2_000);
      for await (const page of pages) for (const { id, died } of page) yield { id, died: Number(died) };
    },

    /**
     * While `work` runs no wave writes rows of this project, so that what it reads is true of the points until it has written
     * them. Throws PermanentFailure `IncarnationChanged` after a restore.
     */
    whileNobodyWrites: <T>(
      project: string,
      incarnation: string,
      work: (tx: TransactionSql) => Promise<T>,
    ): Promise<T> =>
      sql.begin(async (tx) => {
        await requireIncarnation(tx, incarnation);
        await tx`select 1 from generations where project = ${project} and state = 'writing' for no key update`;
        return work(tx);
      }) as Promise<T>,
  };
}

export async function rowMarks(
  tx: TransactionSql,
  project: string,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, RowMarks>> {
  const rows = await tx<{ id: string; died: string; collection: string }[]>`
    select c.id, c.died, g.collection from chunks c join generations g on g.project = c.project and g.number = c.born
    where c.project = ${project} and c.id = any(${[...wanted]})`;
  return new Map(rows.map(({ id, died, collection }) => [id, { died: Number(died), collection }]));
}

type PointRow = Pick<Point, 'id' | 'project' | 'kind' | 'weights'> & {
  readonly identity: string;
  readonly born: string;
  readonly died: string;
  readonly terms: readonly string[];
  readonly vector: Buffer | null;
};

/** What is to be collected has none any more. Throws PermanentFailure `VectorMissing`. */
export async function pointsOfRows(
  tx: TransactionSql,
  project: string,
  wanted: readonly string[],
  gcFloor: number,
): Promise<Point[]> {
  const rows = await tx<PointRow[]>`
    select c.id, c.project, c.kind, c.identity, c.born, c.died, c.terms, c.weights, v.vector
    from chunks c left join vectors v on v.identity = c.identity and v.embedded_sha256 = c.embedded_sha256
    where c.project = ${project} and c.id = any(${[...wanted]}) and c.died > ${gcFloor} order by c.id`;
  return rows.map(({ identity, vector, terms, born, died, ...row }) => {
    if (vector === null && identity !== lexicalOnly) {
      throw new PermanentFailure('VectorMissing', `Chunk ${row.id} has no vector under ${identity}`);
    }
    const dense = vector === null || identity === lexicalOnly ? null : vectorFrom(vector);
    return { ...row, dense, terms: terms.map(Number), born: Number(born), died: Number(died) };
  });
}
