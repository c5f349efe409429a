import type { SparseVector, TermStatistics } from '../../domain/lexical/weights.ts';
import type { Sql } from '../postgres/connect.ts';
import { isCurrent } from '../postgres/memories.ts';
import type { MemorySearch } from './search.ts';

/** Of what a search may find: how many there are, and in how many of them each term is. */
export async function memoryStatistics(
  data: Sql,
  search: Pick<MemorySearch, 'projects' | 'ofNone' | 'types'>,
  terms: ReadonlyMap<number, number>,
): Promise<TermStatistics> {
  const [row] = await data<{ memories: string; with_term: Readonly<Record<string, number>> }[]>`
    with asked as (select terms from memories where ${isAsked(data, search)})
    select (select count(*) from asked) as memories,
      coalesce((select jsonb_object_agg(term, times) from (
        select term, count(*) as times from asked, unnest(asked.terms) as term
        where asked.terms && ${[...terms.keys()].map(String)}::bigint[]
          and term = any(${[...terms.keys()].map(String)}::bigint[]) group by term) counted), '{}') as with_term`;
  const withTerm = new Map(Object.entries(row?.with_term ?? {}).map(([term, times]) => [Number(term), times]));
  return { chunks: Number(row?.memories), withTerm };
}

/** Out of the rows themselves, for as long as Qdrant is away. */
export async function memoriesByWords(
  data: Sql,
  search: Pick<MemorySearch, 'projects' | 'ofNone' | 'types' | 'limit'> & { readonly terms: SparseVector },
): Promise<{ id: string; score: number }[]> {
  const { indices, values } = search.terms;
  return data<{ id: string; score: number }[]>`
    select m.id, found.score from memories m
    cross join lateral (
      select sum(w.weight * q.weight) as score from unnest(m.terms, m.weights) as w (term, weight)
      join unnest(${indices.map(String)}::bigint[], ${[...values]}::float8[]) as q (term, weight) on q.term = w.term) found
    where ${isAsked(data, search)} and m.terms && ${indices.map(String)}::bigint[]
    order by found.score desc, m.id limit ${search.limit}`;
}

function isAsked(sql: Sql, { projects, ofNone, types }: Pick<MemorySearch, 'projects' | 'ofNone' | 'types'>) {
  return sql`(project = any(${[...projects]}) or (project is null and ${ofNone})) and ${isCurrent(sql)}
    ${types === null ? sql`` : sql`and type = any(${[...types]})`}`;
}
