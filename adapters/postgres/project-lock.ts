import type { TransactionSql } from 'postgres';
import type { ProjectStanding } from '../../domain/generation/rules.ts';

export interface LockedProject extends ProjectStanding {
  readonly last_number: number;
}

/**
 * Takes the lock of the project's row until the transaction ends: whatever changes what is visible, what is kept or what is
 * deleted goes one after the other. Rows that only name the project are written meanwhile. null: there is no such project.
 */
export async function lockProject(tx: TransactionSql, project: string): Promise<LockedProject | null> {
  const [row] = await tx<(Record<'visible' | 'gc_floor' | 'last_number', string> & { held: boolean })[]>`
    select visible, gc_floor, last_number, held from projects where id = ${project} for no key update`;
  if (row === undefined) return null;
  return {
    visible: Number(row.visible),
    gc_floor: Number(row.gc_floor),
    last_number: Number(row.last_number),
    held: row.held,
  };
}
