import type { Outcome } from '../../domain/deploy/words.ts';
import type { Sql } from './connect.ts';

/** How many closed deploys ended in each outcome, over all services. */
export async function countOutcomes(sql: Sql): Promise<readonly { outcome: Outcome; deploys: number }[]> {
  const rows = await sql<{ outcome: Outcome; deploys: string }[]>`
    select result->>'outcome' as outcome, count(*) as deploys from deploys
    where closed_at is not null and result->>'outcome' is not null group by 1`;
  return rows.map(({ outcome, deploys }) => ({ outcome, deploys: Number(deploys) }));
}
