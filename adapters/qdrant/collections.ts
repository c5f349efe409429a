import type { QdrantClient } from '@qdrant/js-client-rest';
import { PermanentFailure } from '../../domain/failures.ts';

/** Names of the vectors of a point. */
export const denseVector = 'dense';
export const sparseVector = 'terms';

/** A field of the payload that filters go by. */
export type PayloadIndex = Parameters<QdrantClient['createPayloadIndex']>[1];

const ofChunks: readonly PayloadIndex[] = [
  { field_name: 'project', field_schema: { type: 'keyword', is_tenant: true } },
  { field_name: 'born', field_schema: { type: 'integer', lookup: true, range: true } },
  { field_name: 'died', field_schema: { type: 'integer', lookup: true, range: true } },
  { field_name: 'kind', field_schema: 'keyword' },
];

/**
 * G11. Makes the collection of an embedding identity, as often as it is asked. `dimensions` null: nothing is embedded, points have
 * terms alone. Throws PermanentFailure `CollectionMismatch` when one of that name is another.
 */
export async function ensureCollection(
  qdrant: QdrantClient,
  name: string,
  dimensions: number | null,
  indexes: readonly PayloadIndex[] = ofChunks,
): Promise<void> {
  if (!(await qdrant.collectionExists(name)).exists) await create(qdrant, name, dimensions);
  const { config, payload_schema } = await qdrant.getCollection(name);
  const found = (config.params.vectors ?? {}) as Readonly<Record<string, { readonly size?: number }>>;
  const size = found[denseVector]?.size ?? null;
  const names = [...Object.keys(found), ...Object.keys(config.params.sparse_vectors ?? {})].sort().join(', ');
  const wanted = dimensions === null ? sparseVector : `${denseVector}, ${sparseVector}`;
  if (names !== wanted || size !== dimensions) {
    const message = `Collection ${name} has ${names} with ${size ?? 'no'} dimensions, not ${wanted} with ${dimensions ?? 'none'}`;
    throw new PermanentFailure('CollectionMismatch', message);
  }
  // One that died between the collection and its indexes left them to the next.
  for (const index of indexes) {
    if (payload_schema[index.field_name] === undefined) await qdrant.createPayloadIndex(name, { ...index, wait: true });
  }
}

async function create(qdrant: QdrantClient, name: string, dimensions: number | null): Promise<void> {
  try {
    await qdrant.createCollection(name, {
      vectors: dimensions === null ? {} : { [denseVector]: { size: dimensions, distance: 'Cosine' } },
      // G10: no modifier. Qdrant's idf would count what others and unseen generations wrote.
      sparse_vectors: { [sparseVector]: {} },
    });
  } catch (error) {
    // Another one made it in between.
    if ((error as { status?: unknown }).status !== 409) throw error;
  }
}

export async function collectionExists(qdrant: QdrantClient, name: string): Promise<boolean> {
  return (await qdrant.collectionExists(name)).exists;
}
