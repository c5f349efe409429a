import type { QdrantClient } from '@qdrant/js-client-rest';
import { createHash, randomUUID } from 'node:crypto';
import type { TransactionSql } from 'postgres';
import type { Manifest } from '../../domain/backup/manifest.ts';
import { vectorBytes, vectorFrom } from '../postgres/vectors.ts';
import { denseVector } from '../qdrant/collections.ts';
import type { Scope } from './collection-points.ts';

type SampledQuery = Manifest['collections'][number]['queries'][number];

const samples = 5;
const hitsAtOnce = 32;
/** Of scores. Closer ones may change places: ties come in any order, and another processor adds up in another one. */
const clearlyBelow = 1e-4;

/** Vectors out of the rows, and what the collection answers to each. Without a dense vector there are none. */
export async function sampleQueries(
  tx: TransactionSql,
  qdrant: QdrantClient,
  collection: string,
  scopes: readonly Scope[],
): Promise<SampledQuery[]> {
  const queries: SampledQuery[] = [];
  for (const vector of await sampledVectors(tx, collection, scopes)) {
    const hits = await answers(qdrant, collection, scopes, vector, hitsAtOnce);
    const ids = surelyFirst(hits);
    if (ids.length === 0) continue;
    const vector_sha256 = createHash('sha256').update(vectorBytes(vector)).digest('hex');
    queries.push({ vector_sha256, vector: [...vector], ids });
  }
  return queries;
}

/** The queries whose answer is another one now. */
export async function changedAnswers(
  qdrant: QdrantClient,
  collection: string,
  scopes: readonly Scope[],
  queries: readonly SampledQuery[],
): Promise<string[]> {
  const changed: string[] = [];
  for (const { vector, vector_sha256, ids } of queries) {
    const hits = await answers(qdrant, collection, scopes, Float32Array.from(vector), ids.length);
    const found = hits.map(({ id }) => id).sort();
    if (JSON.stringify(found) !== JSON.stringify([...ids].sort())) changed.push(vector_sha256);
  }
  return changed;
}

interface Hit {
  readonly id: string;
  readonly score: number;
}

/** Those that stand clearly above the rest, so that any exact search finds the same set; the most of them that there are. */
export function surelyFirst(hits: readonly Hit[]): string[] {
  const all = hits.length < hitsAtOnce;
  for (let kept = hits.length; kept > 0; kept -= 1) {
    const next = hits[kept];
    const isCut = next === undefined ? all : (hits[kept - 1]?.score ?? 0) - next.score > clearlyBelow;
    if (isCut) return hits.slice(0, kept).map(({ id }) => id);
  }
  return [];
}

async function answers(
  qdrant: QdrantClient,
  collection: string,
  scopes: readonly Scope[],
  vector: Float32Array,
  limit: number,
): Promise<Hit[]> {
  const { points } = await qdrant.query(collection, {
    ...{ query: [...vector], using: denseVector, limit, params: { exact: true } },
    filter: { should: scopes.map(aliveAt) },
  });
  return points.map(({ id, score }) => ({ id: String(id), score }));
}

function aliveAt({ project, generation }: Scope) {
  return {
    must: [
      { key: 'project', match: { value: project } },
      { key: 'born', range: { lte: generation } },
      { key: 'died', range: { gt: generation } },
    ],
  };
}

/** Of rows behind random ids: the same everywhere would be the same few for ever. */
async function sampledVectors(
  tx: TransactionSql,
  collection: string,
  scopes: readonly Scope[],
): Promise<Float32Array[]> {
  const found = new Map<string, Float32Array>();
  for (let at = 0; at < samples; at += 1) {
    const { project, generation } = scopes[at % scopes.length] ?? { project: '', generation: 0 };
    const [row] = await tx<{ id: string; vector: Buffer }[]>`
      select c.id, v.vector from chunks c
      join generations g on g.project = c.project and g.number = c.born and g.collection = ${collection}
      join vectors v on v.identity = c.identity and v.embedded_sha256 = c.embedded_sha256
      where c.project = ${project} and c.born <= ${generation} and c.died > ${generation}
      order by c.id < ${randomUUID()}, c.id limit 1`;
    if (row !== undefined) found.set(row.id, vectorFrom(row.vector));
  }
  return [...found.values()];
}
