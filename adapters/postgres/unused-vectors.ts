import type { TransactionSql } from 'postgres';
import type { Sql } from './connect.ts';

/** So many are looked at in one transaction: each time all chunks are read once. */
const vectorsAtOnce = 5_000;

/** Of a statement that deletes chunks and returns `identity, embedded_sha256`. Returns how many it deleted. */
export async function deleteChunks(tx: TransactionSql, deletion: ReturnType<TransactionSql>): Promise<number> {
  // A writer that holds one needs it: it is passed over, and nobody waits for the other.
  const [row] = await tx<{ n: number }[]>`
    with gone as (${deletion as never}), free as (
      select v.ctid from vectors v where v.unused_since is null
        and (v.identity, v.embedded_sha256) in (select identity, embedded_sha256 from gone) for update skip locked
    ), marked as (update vectors set unused_since = now() where ctid in (select ctid from free))
    select count(*)::int as n from gone`;
  return row?.n ?? 0;
}

/**
 * Vectors are a cache: those that no chunk has needed for so many days go, some at a time. Returns whether there may be more.
 * What is just being written is locked by its writer, or is written again by it.
 */
export async function dropUnusedVectors(sql: Sql, days: number): Promise<boolean> {
  return sql.begin(async (tx) => {
    const old = await tx<{ identity: string; embedded_sha256: Buffer }[]>`
      select identity, embedded_sha256 from vectors where unused_since < now() - make_interval(days => ${days})
      order by unused_since limit ${vectorsAtOnce} for update skip locked`;
    if (old.length === 0) return false;
    const these = tx`(v.identity, v.embedded_sha256) in (select * from unnest(${old.map(({ identity }) => identity)}::text[],
      ${tx.array(old.map((row) => row.embedded_sha256))}::bytea[]))`;
    // Seen after they are locked: whoever came before has committed its chunks.
    await tx`
      update vectors v set unused_since = null where ${these} and exists (
        select 1 from chunks c where c.identity = v.identity and c.embedded_sha256 = v.embedded_sha256)`;
    await tx`delete from vectors v where ${these} and v.unused_since is not null`;
    return old.length === vectorsAtOnce;
  });
}
