import type { QdrantClient } from '@qdrant/js-client-rest';
import type { Embedder } from '../adapters/embeddings/embedder.ts';
import { createSearch } from '../adapters/search/search.ts';
import { latencies, type Latencies } from './qdrant-figures.ts';
import { questions } from './wave-texts.ts';
import type { WaveWorld } from './wave-world.ts';

const [queryCount, warmUp] = [300, 30];

export interface Queries {
  readonly chunks: number;
  readonly search_ms: Latencies;
  /** The very request that the search sent to Qdrant, sent again, and one read of the rows of its answer by primary key. */
  readonly direct_ms: Latencies;
  readonly ratio_p50: number;
  readonly ratio_p99: number;
}

type Sent = Parameters<QdrantClient['queryBatch']>;

/** Scoped questions, each also asked directly, by turns before and after. The stub embeds in no time. */
export async function measureQueries(
  { data, qdrant }: WaveWorld,
  embedder: Embedder,
  { project, chunks }: { readonly project: string; readonly chunks: number },
): Promise<Queries> {
  let sent: Sent | null = null;
  const listening = new Proxy(qdrant, {
    get: (client, name) => {
      const value: unknown = Reflect.get(client, name);
      if (name !== 'queryBatch') return value;
      return (...request: Sent) => client.queryBatch(...(sent = request));
    },
  });
  const search = createSearch({ sql: data, qdrant: listening, embedderOf: () => embedder });
  const scopes = [{ project, asked: project, resolved_by: 'id' as const }];
  const ours = async (query: string): Promise<number> =>
    timed(async () => {
      const { hits, degraded } = await search({ query, scopes, limit: 10 });
      if (hits.length === 0 || degraded.length > 0) throw new Error(`'${query}' was not answered in full`);
    });
  const direct = (request: Sent | null): Promise<number> =>
    timed(async () => {
      if (request === null) throw new Error('nothing was sent to Qdrant');
      const [answer] = await qdrant.queryBatch(...request);
      const ids = answer?.points.map(({ id }) => String(id)) ?? [];
      await data`select * from chunks where id = any(${ids}::uuid[])`;
    });

  const times: { ours: number; direct: number }[] = [];
  for (const [turn, query] of questions(queryCount + warmUp).entries()) {
    // Whoever asks second finds the pages warm.
    if (turn % 2 === 0) {
      const searched = await ours(query);
      times.push({ ours: searched, direct: await direct(sent) });
    } else {
      await ours(query);
      const asked = await direct(sent);
      times.push({ ours: await ours(query), direct: asked });
    }
  }
  const counted = times.slice(warmUp);
  const search_ms = latencies(counted.map((each) => each.ours));
  const direct_ms = latencies(counted.map((each) => each.direct));
  const ratio = (of: 'p50' | 'p99'): number => Math.round((search_ms[of] / direct_ms[of]) * 100) / 100;
  return { chunks, search_ms, direct_ms, ratio_p50: ratio('p50'), ratio_p99: ratio('p99') };
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return performance.now() - since;
}
