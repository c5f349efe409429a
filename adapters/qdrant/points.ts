import type { QdrantClient } from '@qdrant/js-client-rest';
import type { Mark } from '../../domain/generation/comparison.ts';
import type { Point } from '../../domain/generation/writing.ts';
import { denseVector, sparseVector } from './collections.ts';

/** Asked before each request: a writer that has lost its right throws. */
export type Guard = () => Promise<void>;

/** Points of one project in one collection. */
export interface Place {
  readonly collection: string;
  readonly project: string;
}

export interface PointHead {
  readonly id: string;
  readonly born: number;
  readonly died: number;
}

// A request of 8 kB a point stays far below Qdrant's bound of 32 MiB, and short.
const pointsAtOnce = 256;
const idsAtOnce = 1_000;
/** More values than this are an error, not a shorter answer. */
const mostNumbers = 100_000;

export async function putPoints(qdrant: QdrantClient, collection: string, points: readonly Point[], guard: Guard) {
  for (const some of slices(points, pointsAtOnce)) {
    await guard();
    await qdrant.upsert(collection, { wait: true, points: some.map(body) });
  }
}

/** Those that are not there are passed over, and so is a collection that is lost: the comparison fills it again. */
export async function setDied(
  qdrant: QdrantClient,
  { collection, project }: Place,
  ids: readonly string[],
  died: number,
  guard: Guard,
): Promise<void> {
  for (const some of slices(ids, idsAtOnce)) {
    await guard();
    // By a filter: named by id, one that is not there makes it an error for all.
    const filter = { must: [ofProject(project), { has_id: some }] };
    await unlessLost(qdrant.setPayload(collection, { payload: { died }, filter, wait: true }));
  }
}

export async function removePoints(
  qdrant: QdrantClient,
  { collection, project }: Place,
  ids: readonly string[],
  guard: Guard,
): Promise<void> {
  for (const some of slices(ids, idsAtOnce)) {
    await guard();
    const filter = { must: [ofProject(project), { has_id: some }] };
    await unlessLost(qdrant.delete(collection, { filter, wait: true }));
  }
}

/** How many points have each number, of those that died after `diedAfter` or live. */
export async function countPoints(
  qdrant: QdrantClient,
  { collection, project }: Place,
  mark: Mark,
  diedAfter: number,
): Promise<Map<number, number>> {
  const filter = { must: [ofProject(project), { key: 'died', range: { gt: diedAfter } }] };
  const { hits } = await qdrant.facet(collection, { key: mark, filter, limit: mostNumbers, exact: true });
  if (hits.length === mostNumbers)
    throw new Error(`${collection} has too many generations of ${project} to be compared`);
  return new Map(hits.map(({ value, count }) => [Number(value), count]));
}

/** In the order of their ids, from the first one that is not below `from`. `next`: where the next page begins; null: nowhere. */
export async function pageOfPoints(
  qdrant: QdrantClient,
  { collection, project }: Place,
  where: { readonly mark: Mark; readonly least: number; readonly most: number },
  from: string | null,
): Promise<{ readonly points: readonly PointHead[]; readonly next: string | null }> {
  const range = { key: where.mark, range: { gte: where.least, lte: where.most } };
  const page = await qdrant.scroll(collection, {
    filter: { must: [ofProject(project), range] },
    limit: idsAtOnce,
    with_payload: ['born', 'died'],
    ...(from === null ? {} : { offset: from }),
  });
  const points = page.points.map(({ id, payload }) => ({
    ...{ id: String(id), born: Number(payload?.['born']), died: Number(payload?.['died']) },
  }));
  return { points, next: typeof page.next_page_offset === 'string' ? page.next_page_offset : null };
}

function body({ id, project, kind, born, died, terms, weights, dense }: Point) {
  const sparse = { indices: [...terms], values: [...weights] };
  return {
    id,
    vector: { [sparseVector]: sparse, ...(dense === null ? {} : { [denseVector]: Array.from(dense) }) },
    payload: { project, kind, born, died },
  };
}

function ofProject(project: string) {
  return { key: 'project', match: { value: project } };
}

async function unlessLost(change: Promise<unknown>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if ((error as { status?: unknown }).status !== 404) throw error;
  }
}

function slices<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}
