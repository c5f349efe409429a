import type { TransactionSql } from 'postgres';
import { PermanentFailure } from '../../domain/failures.ts';
import type { Sql } from './connect.ts';

/** G4. Which lifetime of the data this is: a uuid that every restore changes. */
export async function databaseIncarnation(sql: Sql | TransactionSql): Promise<string> {
  const [row] = await sql<{ id: string }[]>`select id from incarnation`;
  if (row === undefined) throw new Error('The data database has no incarnation');
  return row.id;
}

/** What the names of this database's collections end in: empty until it was restored. */
export async function collectionsEnding(sql: Sql | TransactionSql): Promise<string> {
  const [row] = await sql<{ collections: string }[]>`select collections from incarnation`;
  return row?.collections ?? '';
}

/** By whatever puts other data in the place of these. From then on nothing that began before may write. */
export async function renewIncarnation(sql: Sql | TransactionSql): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    update incarnation set id = gen_random_uuid(), since = now() returning id`;
  if (row === undefined) throw new Error('The data database has no incarnation');
  return row.id;
}

/** In a transaction that writes. Until it ends the incarnation stays as it is. Throws PermanentFailure('IncarnationChanged'). */
export async function requireIncarnation(tx: TransactionSql, incarnation: string): Promise<void> {
  const [row] = await tx<{ id: string }[]>`select id from incarnation for share`;
  if (row?.id === incarnation) return;
  throw new PermanentFailure(
    'IncarnationChanged',
    'The database was restored since this began: nothing of it is written',
  );
}
