import type { QdrantClient } from '@qdrant/js-client-rest';
import type { CandidateQuery } from '../../domain/search/candidates.ts';

export interface Candidate {
  readonly id: string;
  readonly fused: number;
}

export interface Asked {
  readonly project: string;
  readonly collection: string;
  readonly query: CandidateQuery;
}

/** Of one project; `away` says why there are none. */
export type Found = { readonly candidates: readonly Candidate[] } | { readonly away: string };

/** Of a reader, who may not hold a generation for longer than its collection waits: domain/generation, readerBoundMs. */
const answerWithinMs = 10_000;

/** One request a collection, in which each project has a query of its own. Never throws: what is away is said. */
export async function findCandidates(client: QdrantClient, asked: readonly Asked[]): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  const collections = [...new Set(asked.map(({ collection }) => collection))];
  await Promise.all(
    collections.map(async (collection) => {
      const here = asked.filter((each) => each.collection === collection);
      const answers = await batch(client, collection, here);
      here.forEach(({ project }, index) => found.set(project, answers(index)));
    }),
  );
  return found;
}

async function batch(
  client: QdrantClient,
  collection: string,
  asked: readonly Asked[],
): Promise<(index: number) => Found> {
  try {
    const answers = await inTime(client.queryBatch(collection, { searches: asked.map(({ query }) => query) }));
    return (index) => {
      const points = answers[index]?.points ?? [];
      return { candidates: points.map(({ id, score }) => ({ id: String(id), fused: score })) };
    };
  } catch (error) {
    const away = reasonOf(error);
    return () => ({ away });
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), answerWithinMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Without the address of the server. */
function reasonOf(error: unknown): string {
  const { name, message, status, cause } = error as Error & { status?: number; cause?: { code?: string } };
  if (status !== undefined) return `it answers ${status}`;
  if (name === 'QdrantClientTimeoutError' || name === 'AbortError') return 'no answer in time';
  return cause?.code ?? message.split('\n')[0] ?? 'no answer';
}
