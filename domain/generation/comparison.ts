/** Which number is compared: that of birth or that of death. */
export type Mark = 'born' | 'died';

/** How many are there with one number, in one collection. */
export interface Count {
  readonly collection: string;
  readonly mark: Mark;
  readonly number: number;
  readonly count: number;
}

/** G3: a number at which the two stores do not have as many. */
export interface Difference {
  readonly collection: string;
  readonly mark: Mark;
  readonly number: number;
  readonly rows: number;
  readonly points: number;
}

/**
 * Where rows and points differ, in a fixed order. Numbers that only points have are among them: late writes of a number that was
 * swept, or of another life of the database.
 */
export function differences(rows: readonly Count[], points: readonly Count[]): Difference[] {
  const found = new Map<string, Difference>();
  const add = ({ collection, mark, number, count }: Count, side: 'rows' | 'points'): void => {
    const name = JSON.stringify([collection, mark, number]);
    const known = found.get(name) ?? { collection, mark, number, rows: 0, points: 0 };
    found.set(name, { ...known, [side]: known[side] + count });
  };
  for (const count of rows) add(count, 'rows');
  for (const count of points) add(count, 'points');
  return [...found]
    .filter(([, { rows: inRows, points: inPoints }]) => inRows !== inPoints)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, difference]) => difference);
}

/** A point as its payload says, beside the row of the same id. */
export interface PointMarks {
  readonly id: string;
  readonly died: number;
}

export interface RowMarks {
  readonly died: number;
  /** Where its point belongs. */
  readonly collection: string;
}

/** G9. What makes points as their rows are: Postgres is never repaired from Qdrant. */
export interface PointRepair {
  /** No row, a row of another collection, or one that is collected anyway. */
  readonly remove: readonly string[];
  /** By the number that they die with. */
  readonly redate: ReadonlyMap<number, readonly string[]>;
}

export function repairPoints(
  collection: string,
  points: readonly PointMarks[],
  rows: ReadonlyMap<string, RowMarks>,
  gcFloor: number,
): PointRepair {
  const remove: string[] = [];
  const redate = new Map<number, string[]>();
  for (const { id, died } of points) {
    const row = rows.get(id);
    if (row?.collection !== collection || row.died <= gcFloor) remove.push(id);
    else if (row.died !== died) redate.set(row.died, [...(redate.get(row.died) ?? []), id]);
  }
  return { remove, redate };
}
