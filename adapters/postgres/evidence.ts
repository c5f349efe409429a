import type { NewCheck } from '../../domain/evidence.ts';
import type { Sql } from './connect.ts';

export interface StoredCheck<Phase extends string> extends Required<NewCheck<Phase>> {
  readonly at: Date;
}

/** What was checked, with what result, and why something was kept or put back. `id`: of the deploy or wave. */
export function createEvidenceStore<Phase extends string>(sql: Sql) {
  return {
    /** A retried activity records its check once. */
    async add(id: string, { check, phase, ok, reason, detail = {} }: NewCheck<Phase>): Promise<void> {
      await sql`
        insert into evidence (record_id, "check", phase, ok, reason, detail)
        values (${id}, ${check}, ${phase}, ${ok}, ${reason}, ${sql.json(detail as never)})
        on conflict (record_id, "check") do nothing`;
    },

    /** Oldest first. */
    list: (id: string): Promise<StoredCheck<Phase>[]> =>
      sql<StoredCheck<Phase>[]>`
        select "check", phase, ok, reason, detail, at from evidence where record_id = ${id} order by id`,
  };
}
