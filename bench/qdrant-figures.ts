import type { QdrantClient } from '@qdrant/js-client-rest';
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from './deploy-figures.ts';
import type { BenchPoint, BenchQuery } from './qdrant-data.ts';
import { dimension } from './qdrant-data.ts';

const collection = 'bench';
const putBack = 'bench_put_back';
const batch = 200;
const writers = 2;
const warmUp = 50;

export interface BenchServer {
  readonly client: QdrantClient;
  readonly url: string;
  readonly apiKey: string;
}

export interface QdrantFigures {
  readonly upserts_per_s: number;
  /** From the last upsert until the optimizer has nothing left to do. */
  readonly indexed_after_ms: number;
  readonly query_ms: Latencies;
  readonly snapshot: { readonly create_ms: number; readonly recover_ms: number; readonly size_mb: number };
}

export interface Latencies {
  readonly p50: number;
  readonly p99: number;
}

/** One collection as Holdfast has it: filled, asked, saved, and put back. Throws when what is put back answers differently. */
export async function measureQdrant(
  server: BenchServer,
  { points, queries }: { readonly points: readonly BenchPoint[]; readonly queries: readonly BenchQuery[] },
): Promise<QdrantFigures> {
  const { client } = server;
  await client.createCollection(collection, {
    vectors: { dense: { size: dimension, distance: 'Cosine' } },
    sparse_vectors: { sparse: {} },
  });
  await client.createPayloadIndex(collection, { field_name: 'project', field_schema: 'keyword', wait: true });
  for (const field_name of ['born', 'died'])
    await client.createPayloadIndex(collection, { field_name, field_schema: 'integer', wait: true });

  const fillMs = await timed(() => fill(client, points));
  const indexed_after_ms = await timed(() => untilIndexed(client));
  for (const query of queries.slice(0, warmUp)) await ask(client, collection, query);
  const times: number[] = [];
  for (const query of queries) times.push(await timed(() => ask(client, collection, query)));
  const snapshot = await measureSnapshot(server, queries.slice(0, 20), points.length);
  await client.deleteCollection(collection);
  return {
    upserts_per_s: Math.round((points.length / fillMs) * 1_000),
    indexed_after_ms: Math.round(indexed_after_ms),
    query_ms: latencies(times),
    snapshot,
  };
}

export function latencies(times: readonly number[]): Latencies {
  const rounded = (share: number): number => Math.round(percentile(times, share) * 100) / 100;
  return { p50: rounded(0.5), p99: rounded(0.99) };
}

async function fill(client: QdrantClient, points: readonly BenchPoint[]): Promise<void> {
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < points.length) {
      const slice = points.slice(next, (next += batch));
      await client.upsert(collection, { points: [...slice], wait: true });
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
}

async function untilIndexed(client: QdrantClient): Promise<void> {
  const deadline = Date.now() + 600_000;
  while (Date.now() < deadline) {
    if ((await client.getCollection(collection)).status === 'green') return;
    await sleep(100);
  }
  throw new Error('the index was not there after ten minutes');
}

/** As a question is asked: dense and sparse, only what is alive in the project's generation, fused by rank. */
function ask(
  client: QdrantClient,
  name: string,
  { dense, sparse, project, generation }: BenchQuery,
): ReturnType<QdrantClient['query']> {
  const filter = {
    must: [
      { key: 'project', match: { value: project } },
      { key: 'born', range: { lte: generation } },
      { key: 'died', range: { gt: generation } },
    ],
  };
  return client.query(name, {
    prefetch: [
      { query: dense, using: 'dense', limit: 50, filter },
      { query: sparse, using: 'sparse', limit: 50, filter },
    ],
    query: { fusion: 'rrf' },
    limit: 10,
    with_payload: true,
  });
}

/** Saved, and put back beside the first, read from the server's own address. */
async function measureSnapshot(
  { client, url, apiKey }: BenchServer,
  queries: readonly BenchQuery[],
  points: number,
): Promise<QdrantFigures['snapshot']> {
  const since = performance.now();
  const snapshot = await client.createSnapshot(collection);
  const create_ms = performance.now() - since;
  if (snapshot === null) throw new Error('no snapshot was made');
  const location = `${url}/collections/${collection}/snapshots/${snapshot.name}`;
  const recovery = { location, api_key: apiKey, checksum: snapshot.checksum ?? null, priority: 'snapshot' as const };
  const recover_ms = await timed(() => client.recoverSnapshot(putBack, recovery));
  const { count } = await client.count(putBack, { exact: true });
  if (count !== points) throw new Error(`${count} of ${points} points were put back`);
  for (const query of queries) {
    const [before, after] = [await ask(client, collection, query), await ask(client, putBack, query)];
    if (JSON.stringify(before.points) !== JSON.stringify(after.points))
      throw new Error('what was put back answers differently');
  }
  await client.deleteCollection(putBack);
  const rounded = { create_ms: Math.round(create_ms), recover_ms: Math.round(recover_ms) };
  return { ...rounded, size_mb: Math.round(snapshot.size / 1024 ** 2) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return performance.now() - since;
}
