import { open } from 'node:fs/promises';
import { join } from 'node:path';

export const dimension = 384;
const clusters = 200;
const vocabulary = 20_000;
const termsPerPoint = 40;
const termsPerQuery = 8;
const projects = 10;
/** As a chunk that is alive has it. */
const never = Number.MAX_SAFE_INTEGER;

export interface BenchPoint {
  readonly id: number;
  readonly payload: { readonly project: string; readonly born: number; readonly died: number };
  readonly vector: { readonly dense: number[]; readonly sparse: { indices: number[]; values: number[] } };
}

export interface BenchQuery {
  readonly dense: number[];
  readonly sparse: { indices: number[]; values: number[] };
  readonly project: string;
  readonly generation: number;
}

/** Vectors in clusters, as texts have them, terms by Zipf's law, ten projects of three generations. The seed decides all. */
export function createData(points: number, queries: number, seed = 1): { points: BenchPoint[]; queries: BenchQuery[] } {
  const random = mulberry32(seed);
  const centres = Array.from({ length: clusters }, () => Array.from({ length: dimension }, () => random() - 0.5));
  const near = (): number[] => {
    const centre = centres[Math.floor(random() * clusters)] ?? [];
    return normalised(centre.map((value) => value + (random() - 0.5) * 0.8));
  };
  return {
    points: Array.from({ length: points }, (_, i) => ({
      id: i + 1,
      payload: { project: `p${i % projects}`, born: 1 + (i % 3), died: i % 11 === 0 ? 2 : never },
      vector: { dense: near(), sparse: terms(random, termsPerPoint) },
    })),
    queries: Array.from({ length: queries }, (_, i) => ({
      dense: near(),
      sparse: terms(random, termsPerQuery),
      project: `p${i % projects}`,
      generation: 3,
    })),
  };
}

/** For the baseline, which reads the same: one JSON document a line. */
export async function writeData(folder: string, data: { points: BenchPoint[]; queries: BenchQuery[] }): Promise<void> {
  await writeLines(join(folder, 'points.jsonl'), data.points);
  await writeLines(join(folder, 'queries.jsonl'), data.queries);
}

async function writeLines(path: string, rows: readonly unknown[]): Promise<void> {
  const file = await open(path, 'w');
  for (let i = 0; i < rows.length; i += 1_000)
    await file.appendFile(
      rows
        .slice(i, i + 1_000)
        .map((row) => `${JSON.stringify(row)}\n`)
        .join(''),
    );
  await file.close();
}

function terms(random: () => number, count: number): { indices: number[]; values: number[] } {
  const indices = new Set<number>();
  // The inverse of Zipf's distribution, near enough.
  while (indices.size < count) indices.add(Math.floor(vocabulary ** random()) - 1);
  return { indices: [...indices], values: [...indices].map(() => 0.5 + random()) };
}

function normalised(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((value) => Math.fround(value / length));
}

/** A small generator of numbers in [0, 1) (Tommy Ettinger's, in the public domain): the same on every machine. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
