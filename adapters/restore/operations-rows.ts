import type postgres from 'postgres';
import { createEventStore } from '../postgres/events.ts';
import type { Sql } from '../postgres/connect.ts';

/** Something that only this machine knows; null: its operations database was never used, and may be another's. */
export async function usedBy(ops: Sql): Promise<string | null> {
  const [row] = await ops<{ used: string | null }[]>`
    select case
      when exists (select 1 from services) then 'services are registered'
      when exists (select 1 from deploys) or exists (select 1 from waves) then 'deploys or waves were run'
      when exists (select 1 from restores) then 'a recovery point was restored'
      when exists (select 1 from memory_tombstones) or exists (
        select 1 from events where type like 'memory.%' or type like 'project.%') then 'projects or memories were kept here'
      when (select count(*) from tokens) > 1 then 'tokens were made'
    end as used`;
  return row?.used ?? null;
}

const staying = ['tokens', 'offsite_targets'] as const;

export async function whatStays(ops: Sql): Promise<MovedHouse['kept']> {
  const tables = staying.map(async (table) => [table, await ops<object[]>`select * from ${ops(table)}`] as const);
  return new Map(await Promise.all(tables));
}

export interface MovedHouse {
  readonly stamp: string;
  /** The box that the point is of, and this one: what is said to run there does not. */
  readonly boxes: readonly string[];
  /** Rows of this machine that stay, by table: whom it lets in, and where it has fetched the point. */
  readonly kept: ReadonlyMap<(typeof staying)[number], readonly object[]>;
}

/** What a restored operations database says of another machine, as it is on this one. Once. */
export async function moveHouse(sql: Sql, { stamp, boxes, kept }: MovedHouse): Promise<{ revoked: number }> {
  return sql.begin(async (tx) => {
    // Whoever has the old disk has them.
    const { count: revoked } = await tx`update tokens set revoked_at = now() where revoked_at is null`;
    for (const [table, rows] of kept)
      if (rows.length > 0) await tx`insert into ${tx(table)} ${tx(rows as never)} on conflict do nothing`;
    for (const target of kept.get('offsite_targets') ?? []) await keepTarget(tx, target as KeptTarget);
    // Of runs, all of them.
    await tx`delete from locks`;
    await tx`delete from pins`;
    await tx`
      update services set desired_state = 'stopped', desired_instance = null, desired_epoch = desired_epoch + 1
      where spec->>'box' = any(${[...boxes]})`;
    await tx`
      update instances set wanted = false where wanted
      and service in (select name from services where spec->>'box' = any(${[...boxes]}))`;
    // The run that made the point is in it, and not over; that the point is there says how it ended.
    await tx`
      update backup_runs set phase = 'closed', closed_at = now(), result = result || ${tx.json({ outcome: 'published' })}
      where closed_at is null and stamp = ${stamp}`;
    await endRuns(tx);
    const event = { type: 'operations.restored', subject: `backup/${stamp}`, actor: 'holdfast' };
    await createEventStore(tx).append({ ...event, data: { revoked_tokens: revoked } });
    return { revoked };
  });
}

type KeptTarget = Readonly<Record<'name' | 'id', string>>;

/** One that the point knows too: by the point's row it would belong to another box, and nothing would be pushed to it. */
async function keepTarget(tx: postgres.TransactionSql, target: KeptTarget): Promise<void> {
  // With what was copied there: the name is another place now.
  await tx`delete from offsite_targets where name = ${target.name} and id <> ${target.id}`;
  await tx`insert into offsite_targets ${tx(target)} on conflict do nothing`;
  await tx`update offsite_targets set ${tx(target)} where name = ${target.name}`;
}

/** Runs that no Temporal knows any more, and nobody will end. */
async function endRuns(tx: postgres.ISql): Promise<void> {
  const why = { failure_reason: 'the machine that it ran on is gone' };
  const closed = (table: string, outcome: string) => tx`
    update ${tx(table)} set phase = 'closed', closed_at = now(), result = result || ${tx.json({ ...why, outcome })}
    where closed_at is null`;
  await closed('deploys', 'aborted');
  await closed('waves', 'cancelled');
  await closed('backup_runs', 'failed');
  await closed('restores', 'failed');
  // What they left beside the data is on that machine.
  await tx`update restores set journal = null`;
  await tx`
    update drills set phase = 'closed', closed_at = now(), outcome = 'refused', failure_reason = ${why.failure_reason}
    where closed_at is null`;
}
