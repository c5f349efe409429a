import { placeValue, type Fusion } from '../../domain/search/settings.ts';
import type { WaveKind } from '../../domain/wave/words.ts';
import type { Sql } from '../postgres/connect.ts';
import type { Candidate } from './candidates.ts';

export interface LexicalQuestion {
  readonly project: string;
  readonly generation: number;
  readonly kind: WaveKind | null;
  /** With the weights of the question. */
  readonly terms: ReadonlyMap<number, number>;
  readonly fusion: Fusion;
  readonly limit: number;
}

/** No index serves this: it reads every chunk of the project, so it must not hold up the database for long. */
const withinMs = 5_000;

/** Candidates by words out of the rows themselves, for as long as Qdrant is away. Rejects when it takes too long. */
export async function lexicalCandidates(sql: Sql, question: LexicalQuestion): Promise<Candidate[]> {
  const { project, generation, kind, terms, fusion, limit } = question;
  if (terms.size === 0) return [];
  const wanted = [...terms.keys()].map(String);
  const rows = await sql.begin('read only', async (tx) => {
    await tx`select set_config('statement_timeout', ${String(withinMs)}, true)`;
    return tx<{ id: string }[]>`
      select c.id from chunks c
      cross join lateral (
        select sum(w.weight * q.weight) as score from unnest(c.terms, c.weights) as w (term, weight)
        join unnest(${wanted}::bigint[], ${[...terms.values()]}::float8[]) as q (term, weight) on q.term = w.term) found
      where c.project = ${project} and c.born <= ${generation} and c.died > ${generation}
        and c.terms && ${wanted}::bigint[]
        ${
          kind === null
            ? tx``
            : tx`and exists (select 1 from documents d where d.project = c.project and d.key = c.document
                and d.born <= ${generation} and d.died > ${generation} and d.kind = ${kind})`
        }
      order by found.score desc, c.id limit ${limit}`;
  });
  return rows.map(({ id }, place) => ({ id, fused: placeValue(place, 'lexical', fusion) }));
}
