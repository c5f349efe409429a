import { alive, type GenerationRef } from '../../domain/generation/generation.ts';
import type { Sql } from './connect.ts';
import { openForWriting } from './generation-writing.ts';

/**
 * G10. In how many chunks each term is at this generation: what is born and what dies with it, out of the rows, set by set. To
 * be called when all rows are written; called again it comes to the same. Throws as writes do.
 */
export async function countTerms(sql: Sql, ref: GenerationRef): Promise<void> {
  const { project, number } = ref;
  await sql.begin(async (tx) => {
    await openForWriting(tx, ref);
    // Two at once would each add what the other has added already.
    await tx`select pg_advisory_xact_lock(hashtextextended(${`holdfast.terms/${project}/${number}`}, 0))`;
    await tx`delete from term_counts where project = ${project} and born = ${number}`;
    await tx`update term_counts set died = ${alive} where project = ${project} and died = ${number}`;
    await tx`
      with changed as (
        select term, sum(difference) as difference from (
          select unnest(terms) as term, 1 as difference from chunks where project = ${project} and born = ${number}
          union all
          select unnest(terms), -1 from chunks where project = ${project} and died = ${number} and born < ${number}
        ) as changes group by term having sum(difference) <> 0
      ), ended as (
        update term_counts t set died = ${number} from changed c
        where t.project = ${project} and t.term = c.term and t.died = ${alive} returning t.term, t.chunks
      )
      insert into term_counts (project, term, chunks, born)
      select ${project}, c.term, coalesce(e.chunks, 0) + c.difference, ${number}
      from changed c left join ended e using (term) where coalesce(e.chunks, 0) + c.difference > 0`;
  });
}
