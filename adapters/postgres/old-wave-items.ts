import type { Sql } from './connect.ts';

const rowsAtOnce = 2_000;
/** The latest of those that are old enough: the ones before them were looked at when they were. */
const wavesAtOnce = 1_000;

/** What waves had to do, so many days after they were closed: some rows at a time. Returns whether there may be more. */
export async function dropOldWaveItems(
  { data, ops }: { readonly data: Sql; readonly ops: Sql },
  project: string,
  days: number,
): Promise<boolean> {
  const waves = await ops<{ id: string }[]>`
    select id from waves where project = ${project} and closed_at < now() - make_interval(days => ${days})
    order by closed_at desc limit ${wavesAtOnce}`;
  if (waves.length === 0) return false;
  const { count } = await data`
    delete from wave_items where ctid = any(array(
      select ctid from wave_items where wave_id = any(${waves.map(({ id }) => id)}::uuid[]) limit ${rowsAtOnce}))`;
  return count === rowsAtOnce;
}
