import type { QdrantClient } from '@qdrant/js-client-rest';
import pLimit from 'p-limit';
import { repairPoints, type Difference, type PointMarks } from '../../domain/generation/comparison.ts';
import type { Sql } from '../postgres/connect.ts';
import { createLifetimeStore, pointsOfRows, rowMarks } from '../postgres/lifetimes.ts';
import { pageOfPoints, putPoints, removePoints, setDied, type Guard, type PointHead } from '../qdrant/points.ts';
import { besideEachOther } from './beside-each-other.ts';

/** One number of one mark, in one collection. */
export type NumberOfMark = Pick<Difference, 'collection' | 'mark' | 'number'>;

/** Whose points, and by which right. */
export interface RepairScope {
  readonly project: string;
  readonly gc_floor: number;
  /** G4: of the database that is repaired from. */
  readonly incarnation: string;
  readonly guard: Guard;
}

export interface Repaired {
  /** Rows that have this number. */
  readonly rows: number;
  /** Points that were missing, had another death than their row, and had no row. */
  readonly put: number;
  readonly redated: number;
  readonly removed: number;
}

const idsAtOnce = 500;
/**
 * One holds up to three connections: that of the rows that are read, that of the transaction, and that of its guard. More at
 * once than a pool has room for would wait for each other for ever.
 */
const inTurn = pLimit(2);

export type Repair = ReturnType<typeof createRepair>;

/**
 * Compares all ids of one number in both stores and makes the points what the rows say (G3, G9); rows are never changed.
 * Both sides are read in the order of ids, so that a million of them take no memory. Throws what the guard throws, and
 * PermanentFailure `IncarnationChanged` and `VectorMissing`.
 */
export function createRepair({ sql, qdrant }: { readonly sql: Sql; readonly qdrant: QdrantClient }) {
  const lifetimes = createLifetimeStore(sql);

  async function put(scope: RepairScope, collection: string, missing: readonly string[]): Promise<number> {
    const { project, gc_floor, incarnation, guard } = scope;
    return lifetimes.whileNobodyWrites(project, incarnation, async (tx) => {
      const points = await pointsOfRows(tx, project, missing, gc_floor);
      await putPoints(qdrant, collection, points, guard);
      return points.length;
    });
  }

  async function correct(scope: RepairScope, collection: string, odd: readonly PointMarks[]) {
    const { project, gc_floor, incarnation, guard } = scope;
    return lifetimes.whileNobodyWrites(project, incarnation, async (tx) => {
      const rows = await rowMarks(
        tx,
        project,
        odd.map(({ id }) => id),
      );
      const { remove, redate } = repairPoints(collection, odd, rows, gc_floor);
      for (const [died, ids] of redate) await setDied(qdrant, { collection, project }, ids, died, guard);
      await removePoints(qdrant, { collection, project }, remove, guard);
      return { redated: [...redate.values()].flat().length, removed: remove.length };
    });
  }

  return {
    number: (scope: RepairScope, what: NumberOfMark): Promise<Repaired> => inTurn(() => number(scope, what)),

    /** Points as their rows say, whatever numbers they have. */
    points: correct,
  };

  async function number(scope: RepairScope, what: NumberOfMark): Promise<Repaired> {
    const done = { rows: 0, put: 0, redated: 0, removed: 0 };
    const missing: string[] = [];
    const odd: PointMarks[] = [];
    const flush = async (least: number): Promise<void> => {
      if (missing.length >= least) done.put += await put(scope, what.collection, missing.splice(0));
      if (odd.length < least) return;
      const { redated, removed } = await correct(scope, what.collection, odd.splice(0));
      done.redated += redated;
      done.removed += removed;
    };
    const rows = lifetimes.withNumber(scope.project, what, scope.gc_floor);
    const points = pointsWithNumber(qdrant, scope.project, what);
    for await (const [row, point] of besideEachOther(rows, points)) {
      if (row !== null) done.rows += 1;
      if (point === null && row !== null) missing.push(row.id);
      else if (point !== null && row?.died !== point.died) odd.push(point);
      await flush(idsAtOnce);
    }
    await flush(1);
    return done;
  }
}

async function* pointsWithNumber(
  qdrant: QdrantClient,
  project: string,
  { collection, mark, number }: NumberOfMark,
): AsyncGenerator<PointHead> {
  let from: string | null = null;
  do {
    const page = await pageOfPoints(qdrant, { collection, project }, { mark, least: number, most: number }, from);
    yield* page.points;
    from = page.next;
  } while (from !== null);
}
