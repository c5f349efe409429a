import type { QdrantClient } from '@qdrant/js-client-rest';
import { ofNoProject } from '../../domain/memory/collection.ts';
import { defaultSettings } from '../../domain/search/settings.ts';
import type { SparseVector } from '../../domain/lexical/weights.ts';
import type { MemoryPoint } from '../postgres/memory-points.ts';
import { denseVector, ensureCollection, sparseVector, type PayloadIndex } from './collections.ts';

const idsAtOnce = 1_000;

const indexes: readonly PayloadIndex[] = [
  { field_name: 'project', field_schema: { type: 'keyword', is_tenant: true } },
  { field_name: 'type', field_schema: 'keyword' },
];

export interface MemoryQuestion {
  /** null: not asked by meaning. */
  readonly dense: Float32Array | null;
  readonly terms: SparseVector;
  readonly projects: readonly string[];
  readonly ofNone: boolean;
  readonly types: readonly string[] | null;
  readonly limit: number;
}

export const ensureMemoryCollection = (qdrant: QdrantClient, name: string, dimensions: number | null): Promise<void> =>
  ensureCollection(qdrant, name, dimensions, indexes);

export async function putMemoryPoints(qdrant: QdrantClient, name: string, points: readonly MemoryPoint[]) {
  await qdrant.upsert(name, {
    wait: true,
    points: points.map(({ id, type, project, terms, dense }) => ({
      id,
      vector: {
        [sparseVector]: { indices: [...terms.indices], values: [...terms.values] },
        ...(dense === null ? {} : { [denseVector]: Array.from(dense) }),
      },
      payload: { type, project: project ?? ofNoProject },
    })),
  });
}

export async function removeMemoryPoints(qdrant: QdrantClient, name: string, ids: readonly string[]): Promise<void> {
  await qdrant.delete(name, { points: [...ids], wait: true });
}

/** How many there are; null: there is no such collection. */
export async function countMemoryPoints(qdrant: QdrantClient, name: string): Promise<number | null> {
  if (!(await qdrant.collectionExists(name)).exists) return null;
  return (await qdrant.count(name, { exact: true })).count;
}

/** Ids of all points, in their order. */
export async function* memoryPoints(qdrant: QdrantClient, name: string): AsyncGenerator<{ readonly id: string }> {
  for (let offset: string | null = null; ;) {
    const page = await qdrant.scroll(name, {
      limit: idsAtOnce,
      with_payload: false,
      ...(offset === null ? {} : { offset }),
    });
    yield* page.points.map(({ id }) => ({ id: String(id) }));
    if (typeof page.next_page_offset !== 'string') return;
    offset = page.next_page_offset;
  }
}

/** Both ways to find, fused by ranks; the best first. */
export async function findMemoryPoints(
  qdrant: QdrantClient,
  name: string,
  question: MemoryQuestion,
): Promise<{ readonly id: string; readonly score: number }[]> {
  const { dense, terms, limit } = question;
  const { k, weights, depth } = defaultSettings;
  const filter = { must: filterOf(question) };
  const common = { filter, limit: Math.max(depth, limit) };
  const sparse = { indices: [...terms.indices], values: [...terms.values] };
  const prefetch = [
    ...(dense === null ? [] : [{ ...common, query: Array.from(dense), using: denseVector, params: { exact: true } }]),
    ...(sparse.indices.length === 0 ? [] : [{ ...common, query: sparse, using: sparseVector }]),
  ];
  if (prefetch.length === 0) return [];
  const ofEach = prefetch.map(({ using }) => (using === denseVector ? weights.dense : weights.lexical));
  const query = { rrf: { k, weights: ofEach } };
  const { points } = await qdrant.query(name, { prefetch, query, limit });
  return points.map(({ id, score }) => ({ id: String(id), score }));
}

function filterOf({ projects, ofNone, types }: MemoryQuestion) {
  const named = [...projects, ...(ofNone ? [ofNoProject] : [])];
  return [
    { key: 'project', match: { any: named } },
    ...(types === null ? [] : [{ key: 'type', match: { any: [...types] } }]),
  ];
}
