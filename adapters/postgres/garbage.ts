import type { TransactionSql } from 'postgres';
import { alive, unsweptStates } from '../../domain/generation/generation.ts';
import type { GarbageStep } from '../../domain/generation/garbage.ts';
import { pinsAgainstCollection, pinsAgainstSweep, raisedFloor } from '../../domain/generation/rules.ts';
import type { Sql } from './connect.ts';
import { requireIncarnation } from './database-incarnation.ts';
import type { PinStore } from './pins.ts';
import { lockProject, type LockedProject } from './project-lock.ts';
import { deleteChunks } from './unused-vectors.ts';

/** Of one transaction: short, so that the project's row is never locked for long. */
const rowsAtOnce = 2_000;
const tables = ['documents', 'chunks', 'term_counts'] as const;

export interface GarbageScope {
  readonly project: string;
  /** G4: a sweep that a restore overtakes ends. */
  readonly incarnation: string;
}

export type GarbageStore = ReturnType<typeof createGarbageStore>;

/**
 * The rows that nobody is to see any more (G6). Each step is one transaction under the lock of the project's row, under which it
 * looks for pins first (G7). Throws PermanentFailure `IncarnationChanged`.
 */
export function createGarbageStore({ sql, pins }: { readonly sql: Sql; readonly pins: Pick<PinStore, 'list'> }) {
  const underLock = <T>(
    { project, incarnation }: GarbageScope,
    work: (tx: TransactionSql, standing: LockedProject, pinned: readonly number[]) => Promise<T>,
  ): Promise<T> =>
    sql.begin(async (tx) => {
      await requireIncarnation(tx, incarnation);
      const standing = await lockProject(tx, project);
      if (standing === null) throw new Error(`There is no project ${project}`);
      const pinned = (await pins.list(project)).map(({ generation }) => generation);
      return work(tx, standing, pinned);
    }) as Promise<T>;

  return {
    /** The latest first: what it did to the rows of one before is undone before those. null: there is none. */
    async nextToSweep(project: string): Promise<number | null> {
      const [row] = await sql<{ number: string | null }[]>`
        select max(number) as number from generations where project = ${project} and state = any(${[...unsweptStates]})`;
      return row?.number == null ? null : Number(row.number);
    },

    /** `done`: no row has this number any more. Also for one that was swept before. */
    sweep: (scope: GarbageScope, number: number, settleMs: number): Promise<GarbageStep> =>
      underLock(scope, async (tx, _, pinned): Promise<GarbageStep> => {
        const held = await settling(tx, scope.project, number, settleMs);
        if (held !== null) return held;
        const against = pinsAgainstSweep(number, pinned);
        if (against.length > 0) return { state: 'pinned', pins: against };
        return { state: (await sweepRows(tx, scope.project, number)) > 0 ? 'more' : 'done' };
      }),

    /** Nothing of it is left in either store: the next wave may write. */
    endSweep: (scope: GarbageScope, number: number): Promise<void> =>
      underLock(scope, async (tx) => {
        await tx`
          update generations set state = 'swept' where project = ${scope.project} and number = ${number}
            and state = any(${[...unsweptStates]})`;
      }),

    /** Commits the floor. Nothing is deleted before readers of what is below it are gone: `settleMs` after this. */
    raiseFloor: (scope: GarbageScope): Promise<number> =>
      underLock(scope, async (tx, standing, pinned) => {
        const [visible] = await tx<{ parent: string }[]>`
          select parent from generations where project = ${scope.project} and number = ${standing.visible}`;
        const floor = raisedFloor(standing, Number(visible?.parent ?? 0), pinned);
        await tx`update projects set gc_floor = ${floor} where id = ${scope.project} and gc_floor < ${floor}`;
        return floor;
      }),

    /** `done`: no row that died up to the floor is left. */
    collect: (scope: GarbageScope, floor: number): Promise<GarbageStep> =>
      underLock(scope, async (tx, standing, pinned): Promise<GarbageStep> => {
        if (floor > standing.gc_floor) throw new Error(`${floor} is above the floor of ${scope.project}`);
        const against = pinsAgainstCollection(floor, pinned);
        if (against.length > 0) return { state: 'pinned', pins: against };
        return { state: (await collectRows(tx, scope.project, floor)) > 0 ? 'more' : 'done' };
      }),
  };
}

/** null: it may be swept now. */
async function settling(
  tx: TransactionSql,
  project: string,
  number: number,
  settleMs: number,
): Promise<GarbageStep | null> {
  const [row] = await tx<{ state: string; ms: number }[]>`
    select state, (extract(epoch from ended_at - now()) * 1000 + ${settleMs}::float8)::float8 as ms
    from generations where project = ${project} and number = ${number}`;
  if (row?.state === 'swept') return { state: 'done' };
  if (!(unsweptStates as readonly string[]).includes(row?.state ?? '')) {
    throw new Error(`Generation ${number} of ${project} is ${row?.state ?? 'not there'}: it is not to be swept`);
  }
  return row !== undefined && row.ms > 0 ? { state: 'waiting', ms: Math.ceil(row.ms) } : null;
}

/** Births before deaths: a path that its own document holds cannot be given back to the one before. */
async function sweepRows(tx: TransactionSql, project: string, number: number): Promise<number> {
  for (const table of tables) {
    const count = await remove(tx, table, tx`project = ${project} and born = ${number}`);
    if (count > 0) return count;
  }
  for (const table of tables) {
    const { count } = await tx`
      update ${tx(table)} set died = ${alive} where ctid = any(array(
        select ctid from ${tx(table)} where project = ${project} and died = ${number} limit ${rowsAtOnce}))`;
    if (count > 0) return count;
  }
  return 0;
}

async function collectRows(tx: TransactionSql, project: string, floor: number): Promise<number> {
  for (const table of tables) {
    const count = await remove(tx, table, tx`project = ${project} and died <= ${floor}`);
    if (count > 0) return count;
  }
  return 0;
}

async function remove(
  tx: TransactionSql,
  table: (typeof tables)[number],
  which: ReturnType<TransactionSql>,
): Promise<number> {
  const some = tx`
    delete from ${tx(table)} where ctid = any(array(
      select ctid from ${tx(table)} where ${which as never} limit ${rowsAtOnce}))`;
  if (table === 'chunks') return deleteChunks(tx, tx`${some} returning identity, embedded_sha256`);
  return (await some).count;
}
