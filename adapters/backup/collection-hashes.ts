import { createHash } from 'node:crypto';
import { besideEachOther } from '../generations/beside-each-other.ts';
import { vectorBytes } from '../postgres/vectors.ts';
import type { ComparedPoint } from './collection-points.ts';

/** Of the points of a collection that are alive at the generations of a recovery point, in the order of their ids. */
export interface CollectionHash {
  readonly points: number;
  readonly payloads_sha256: string;
  readonly vectors_sha256: string;
}

/** Both sides beside each other. The examples are a few ids. */
export interface CollectionComparison {
  readonly rows: CollectionHash;
  readonly held: CollectionHash;
  readonly missing: Odd;
  readonly extra: Odd;
  /** In its payload or in a vector. */
  readonly different: Odd;
}

export interface Odd {
  count: number;
  readonly ids: string[];
}

const examples = 5;
/**
 * Qdrant makes vectors of length 1 once more, in its own order of additions: what comes back may differ in the last bits, and any
 * damage that matters is far above it.
 */
const closeEnough = 1e-5;

export function hashing() {
  const payloads = createHash('sha256');
  const vectors = createHash('sha256');
  let points = 0;
  return {
    add(point: ComparedPoint): void {
      points += 1;
      payloads.update(payloadLine(point));
      vectors.update(point.id);
      vectors.update(point.dense === null ? '-' : vectorBytes(point.dense));
      vectors.update(Buffer.from(Uint32Array.from(point.terms).buffer));
      vectors.update(vectorBytes(Float32Array.from(point.weights)));
    },
    end: (): CollectionHash => ({
      points,
      payloads_sha256: payloads.digest('hex'),
      vectors_sha256: vectors.digest('hex'),
    }),
  };
}

/** Reads both in one pass; neither is held in memory. */
export async function comparePoints(
  byRows: AsyncIterable<ComparedPoint>,
  held: AsyncIterable<ComparedPoint>,
): Promise<CollectionComparison> {
  const [rowHash, heldHash] = [hashing(), hashing()];
  const [missing, extra, different] = [odd(), odd(), odd()];
  for await (const [row, point] of besideEachOther(byRows, held)) {
    if (row !== null) rowHash.add(row);
    if (point !== null) heldHash.add(point);
    if (point === null && row !== null) note(missing, row.id);
    else if (row === null && point !== null) note(extra, point.id);
    else if (row !== null && point !== null && !areEqual(row, point)) note(different, row.id);
  }
  return { rows: rowHash.end(), held: heldHash.end(), missing, extra, different };
}

/** In words; null: they are equal. */
export function differenceOf({ missing, extra, different }: CollectionComparison): string | null {
  const all = { missing, extra, different };
  const found = Object.entries(all).flatMap(([what, { count, ids }]) =>
    count === 0 ? [] : [`${count} ${what} (such as ${ids[0] ?? ''})`],
  );
  return found.length === 0 ? null : found.join(', ');
}

function areEqual(row: ComparedPoint, point: ComparedPoint): boolean {
  if (payloadLine(row) !== payloadLine(point)) return false;
  if (!sameNumbers(row.terms, point.terms, 0) || !sameNumbers(row.weights, point.weights, 0)) return false;
  if (row.dense === null || point.dense === null) return row.dense === point.dense;
  return sameNumbers(row.dense, point.dense, closeEnough);
}

function sameNumbers(one: ArrayLike<number>, other: ArrayLike<number>, tolerance: number): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at += 1) {
    // Not a number is not close to anything.
    if (!(Math.abs(Math.fround(one[at] ?? 0) - Math.fround(other[at] ?? 0)) <= tolerance)) return false;
  }
  return true;
}

function payloadLine({ id, project, kind, born }: ComparedPoint): string {
  return `${JSON.stringify([id, project, kind, born])}\n`;
}

function odd(): Odd {
  return { count: 0, ids: [] };
}

function note(odds: Odd, id: string): void {
  odds.count += 1;
  if (odds.ids.length < examples) odds.ids.push(id);
}
