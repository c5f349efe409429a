import type { TransactionSql } from 'postgres';
import type { GenerationRef } from '../../domain/generation/generation.ts';
import type { Sql } from './connect.ts';
import { openForWriting } from './generation-writing.ts';

/** How many rows have the wave's number. */
export interface OwnRows {
  readonly born: number;
  readonly died: number;
}

/** What is alive at a generation. */
export interface Totals {
  readonly documents: number;
  readonly chunks: number;
}

/** `moved`: rows were written since they were compared; compare again. `wrong`: what must not be so, in words. */
export type Sealed =
  | { readonly state: 'proved'; readonly totals: Totals }
  | { readonly state: 'moved' }
  | { readonly state: 'wrong'; readonly reasons: readonly string[] };

/**
 * The end of writing (G3): under the lock on the generation, which waits for every batch, the rows are those that were compared
 * and belong together; from then on nothing writes them. Throws as writes do.
 */
export async function seal(sql: Sql, ref: GenerationRef, compared: OwnRows): Promise<Sealed> {
  const { project, number } = ref;
  return sql.begin(async (tx): Promise<Sealed> => {
    // Asked for first: those who hold a share of it are let through, and then nobody.
    await tx`select 1 from generations where project = ${project} and number = ${number} for no key update`;
    await openForWriting(tx, ref);
    const now = await ownRows(tx, ref);
    if (now.born !== compared.born || now.died !== compared.died) return { state: 'moved' };
    const reasons = [
      ...(await brokenDocuments(tx, ref)),
      ...(await foreignNumbers(tx, ref)),
      ...(await leftBehind(tx, ref)),
    ];
    if (reasons.length > 0) return { state: 'wrong', reasons };
    const totals = await totalsAt(tx, ref);
    await tx`
      update generations set state = 'proved', proved_at = now(), documents = ${totals.documents}, chunks = ${totals.chunks}
      where project = ${project} and number = ${number}`;
    return { state: 'proved', totals };
  });
}

async function ownRows(tx: TransactionSql, { project, number }: GenerationRef): Promise<OwnRows> {
  const [row] = await tx<{ born: string; died: string }[]>`
    select (select count(*) from chunks where project = ${project} and born = ${number}) as born,
      (select count(*) from chunks where project = ${project} and died = ${number}) as died`;
  return { born: Number(row?.born), died: Number(row?.died) };
}

async function totalsAt(tx: TransactionSql, { project, number }: GenerationRef): Promise<Totals> {
  const [row] = await tx<{ documents: string; chunks: string }[]>`
    select (select count(*) from documents where project = ${project} and born <= ${number} and died > ${number}) as documents,
      (select count(*) from chunks where project = ${project} and born <= ${number} and died > ${number}) as chunks`;
  return { documents: Number(row?.documents), chunks: Number(row?.chunks) };
}

/** Documents of this wave that do not have all their chunks, or chunks that have lost their document. At most a few. */
async function brokenDocuments(tx: TransactionSql, { project, number }: GenerationRef): Promise<string[]> {
  const rows = await tx<{ path: string; wanted: number; there: string }[]>`
    select d.path, d.chunks as wanted, count(c.id) as there
    from documents d left join chunks c on c.project = d.project and c.document = d.key
      and c.born <= ${number} and c.died > ${number}
    where d.project = ${project} and d.born = ${number} group by d.id having count(c.id) <> d.chunks
    union all
    select d.path, 0, count(*) from documents d
    join chunks c on c.project = d.project and c.document = d.key and c.born <= ${number} and c.died > ${number}
    where d.project = ${project} and d.died = ${number} and not exists (select 1 from documents e
      where e.project = d.project and e.key = d.key and e.born <= ${number} and e.died > ${number})
    group by d.id limit 10`;
  return rows.map(({ path, wanted, there }) => `${path} has ${there} of ${wanted} chunks`);
}

/** Rows with a number that was never committed and is not the wave's own. */
async function foreignNumbers(tx: TransactionSql, { project, number }: GenerationRef): Promise<string[]> {
  const rows = await tx<{ number: string }[]>`
    select g.number from generations g
    where g.project = ${project} and g.number <> ${number} and g.state <> 'committed' and (
      exists (select 1 from chunks c where c.project = g.project and c.born = g.number)
      or exists (select 1 from chunks c where c.project = g.project and c.died = g.number)
      or exists (select 1 from documents d where d.project = g.project and d.born = g.number)
      or exists (select 1 from documents d where d.project = g.project and d.died = g.number)
    ) order by g.number limit 10`;
  return rows.map((row) => `rows of generation ${row.number}, which was never committed`);
}

/** G11. Readers ask one collection: what lives on in another one would be found by nobody. */
async function leftBehind(tx: TransactionSql, { project, number }: GenerationRef): Promise<string[]> {
  const rows = await tx<{ number: string; collection: string; path: string }[]>`
    select g.number, g.collection, left_there.path from generations own
    join generations g on g.project = own.project and g.collection <> own.collection
    join lateral (select coalesce(d.source || '/' || d.path, c.id::text) as path from chunks c
      left join documents d on d.project = c.project and d.key = c.document and d.born <= ${number} and d.died > ${number}
      where c.project = g.project and c.born = g.number and c.died > ${number} limit 1) as left_there on true
    where own.project = ${project} and own.number = ${number} order by g.number limit 10`;
  // What could not be read again keeps its last version, which is of the model before.
  return rows.map(
    ({ number: of, collection, path }) =>
      `chunks of generation ${of} are still in ${collection}, such as those of ${path}: mend it, or take it out of its source`,
  );
}
