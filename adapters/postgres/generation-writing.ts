import type { TransactionSql } from 'postgres';
import { PermanentFailure } from '../../domain/failures.ts';
import type { GenerationRef } from '../../domain/generation/generation.ts';
import type { Sql } from './connect.ts';
import { requireIncarnation } from './database-incarnation.ts';

/** What a wave writes into. */
export interface OpenGeneration {
  readonly parent: number;
  readonly collection: string;
  readonly identity: string;
}

/**
 * First in each transaction of a wave: until it ends nobody can discard or seal the generation, and no restore can change the
 * database. Throws PermanentFailure `IncarnationChanged` or `GenerationClosed`.
 */
export async function openForWriting(tx: TransactionSql, ref: GenerationRef): Promise<OpenGeneration> {
  await requireIncarnation(tx, ref.incarnation);
  const { project, number, incarnation } = ref;
  const [row] = await tx<{ parent: string; collection: string; identity: string }[]>`
    select parent, collection, identity from generations
    where project = ${project} and number = ${number} and state = 'writing' and incarnation = ${incarnation} for share`;
  if (row === undefined) throw closed(ref);
  return { ...row, parent: Number(row.parent) };
}

/** G9. Qdrant has no fencing: asked before each request to it. Throws as openForWriting does. */
export async function requireWritable(sql: Sql, ref: GenerationRef): Promise<void> {
  const [row] = await sql<{ state: string | null }[]>`
    select (select state from generations where project = ${ref.project} and number = ${ref.number}) as state
    from incarnation where id = ${ref.incarnation}`;
  if (row?.state === 'writing') return;
  if (row === undefined) {
    throw new PermanentFailure('IncarnationChanged', 'The database was restored since this began: nothing is written');
  }
  throw closed(ref);
}

function closed({ project, number }: GenerationRef): PermanentFailure {
  return new PermanentFailure('GenerationClosed', `Generation ${number} of ${project} is not being written any more`);
}
