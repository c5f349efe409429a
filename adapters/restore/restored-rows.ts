import type postgres from 'postgres';
import { unfinishedStates } from '../../domain/generation/generation.ts';
import { onSide } from '../../domain/restore/side-names.ts';

/** All that a database's generations name, whether they are there or not. */
export async function collectionsNamed(sql: postgres.ISql): Promise<string[]> {
  const rows = await sql<{ collection: string }[]>`select distinct collection from generations order by collection`;
  return rows.map(({ collection }) => collection);
}

export async function projectsNamed(sql: postgres.ISql): Promise<string[]> {
  return (await sql<{ id: string }[]>`select id from projects order by id`).map(({ id }) => id);
}

/** What waves were writing when the point was taken is never to be seen: it is swept, as everything discarded. Returns how many. */
export async function endUnfinished(tx: postgres.ISql): Promise<number> {
  const { count } = await tx`
    update generations set state = 'discarded', ended_at = now() where state = any(${[...unfinishedStates]})`;
  return count;
}

/** The rows name the collections of their own side, and so does whatever is made from now on. */
export async function moveCollections(tx: postgres.ISql, suffix: string): Promise<string[]> {
  const names = await collectionsNamed(tx);
  for (const name of names)
    await tx`update generations set collection = ${onSide(name, suffix)} where collection = ${name}`;
  await tx`update incarnation set collections = ${suffix}`;
  return names.map((name) => onSide(name, suffix));
}
