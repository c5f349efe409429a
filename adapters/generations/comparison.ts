import type { QdrantClient } from '@qdrant/js-client-rest';
import { differences, type Count, type Difference } from '../../domain/generation/comparison.ts';
import { collectionExists } from '../qdrant/collections.ts';
import { countPoints } from '../qdrant/points.ts';
import type { Sql } from '../postgres/connect.ts';
import { createLifetimeStore } from '../postgres/lifetimes.ts';

export type Compare = ReturnType<typeof createComparison>;

/**
 * G3, G9. Where the two stores do not have as many with one number, of what is not to be collected. Points with a number that
 * only they have are among it. Counts alone: a number that has to be certain is compared by its ids (repair.ts).
 */
export function createComparison({ sql, qdrant }: { readonly sql: Sql; readonly qdrant: QdrantClient }) {
  const lifetimes = createLifetimeStore(sql);

  return async function compare(project: string, gcFloor: number): Promise<Difference[]> {
    const rows = await lifetimes.counts(project, gcFloor);
    const collections = [...(await lifetimes.collections(project)).keys()];
    const points = await Promise.all(collections.map((collection) => count(qdrant, { collection, project }, gcFloor)));
    return differences(rows, points.flat());
  };
}

async function count(
  qdrant: QdrantClient,
  place: { readonly collection: string; readonly project: string },
  gcFloor: number,
): Promise<Count[]> {
  if (!(await collectionExists(qdrant, place.collection))) return [];
  const [born, died] = await Promise.all([
    countPoints(qdrant, place, 'born', gcFloor),
    countPoints(qdrant, place, 'died', gcFloor),
  ]);
  const counts = (mark: Count['mark'], numbers: ReadonlyMap<number, number>): Count[] =>
    [...numbers].map(([number, of]) => ({ collection: place.collection, mark, number, count: of }));
  return [...counts('born', born), ...counts('died', died)];
}
