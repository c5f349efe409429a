import { lexicalOnly } from '../../domain/embedding.ts';
import { questionTerms, questionWeights } from '../../domain/lexical/weights.ts';
import type { MemoryDegraded } from '../../domain/memory/schemas.ts';
import { memoryState, type MemoryType } from '../../domain/memory/words.ts';
import { createMemoryPointRows } from '../postgres/memory-points.ts';
import { createMemoryStore, type StoredMemory } from '../postgres/memories.ts';
import { findMemoryPoints } from '../qdrant/memory-points.ts';
import { collectionOf, type MemoryCollection } from './collection.ts';
import { memoriesByWords, memoryStatistics } from './by-words.ts';
import type { MemoryDeps } from './points.ts';

export interface MemorySearch {
  readonly query: string;
  /** Memories of other projects are not answered. */
  readonly projects: readonly string[];
  /** Whether those of no project are answered besides. */
  readonly ofNone: boolean;
  readonly types: readonly MemoryType[] | null;
  readonly limit: number;
}

export interface MemoryFound {
  readonly hits: readonly (StoredMemory & { readonly score: number })[];
  readonly degraded: readonly MemoryDegraded[];
}

export type SearchMemories = (search: MemorySearch) => Promise<MemoryFound>;

/** A model that is just being loaded is waited for; one that hangs is not. */
const embedWithinMs = 5_000;

/**
 * Row C6. By meaning and by words; every hit is a row that may be found now. Rejects when Postgres is away; what else is away
 * is said in `degraded`.
 */
export function createMemorySearch(deps: Omit<MemoryDeps, 'ops'>): SearchMemories {
  const { data, qdrant } = deps;
  const store = createMemoryStore(data);
  const rows = createMemoryPointRows(data);

  return async (search) => {
    const index = await rows.index();
    if (index === null) return { hits: [], degraded: [] };
    const collection = collectionOf(index);
    const asked = questionTerms(search.query);
    const terms = questionWeights(asked, await memoryStatistics(data, search, asked));
    const { dense, degraded } = await embedQuestion(deps, search.query, collection);
    if (collection.identity !== lexicalOnly) degraded.push(...(await unembedded(search, collection)));

    // Some of them may be forgotten, superseded or expired by now.
    const question = { ...search, dense, terms, limit: search.limit * 2 + 10 };
    const found = await findMemoryPoints(qdrant, collection.name, question).catch((error: unknown) => {
      degraded.push({ reason: 'candidates_unavailable', detail: reasonOf(error) });
      return memoriesByWords(data, question);
    });
    return { hits: await hydrate(found, search), degraded };
  };

  async function hydrate(found: readonly { id: string; score: number }[], search: MemorySearch) {
    const memories = new Map((await store.among(found.map(({ id }) => id))).map((memory) => [memory.id, memory]));
    const now = new Date();
    return found
      .flatMap(({ id, score }) => {
        const memory = memories.get(id);
        return memory === undefined || !isAsked(memory, search, now) ? [] : [{ ...memory, score }];
      })
      .sort((one, other) => other.score - one.score || (one.id < other.id ? -1 : 1))
      .slice(0, search.limit);
  }

  async function unembedded(search: MemorySearch, { identity }: MemoryCollection): Promise<MemoryDegraded[]> {
    const waiting = await rows.waiting(search.projects, identity);
    return waiting === 0 ? [] : [{ reason: 'not_indexed', detail: `${waiting} of them are not embedded yet` }];
  }
}

/** The row decides, whatever a point says. */
function isAsked(memory: StoredMemory, { projects, ofNone, types }: MemorySearch, now: Date): boolean {
  const named = memory.project === null ? ofNone : projects.includes(memory.project);
  return named && (types === null || types.includes(memory.type)) && memoryState(memory, now) === 'current';
}

async function embedQuestion(
  { embeddings }: Pick<MemoryDeps, 'embeddings'>,
  query: string,
  { identity }: MemoryCollection,
): Promise<{ dense: Float32Array | null; degraded: MemoryDegraded[] }> {
  if (identity === lexicalOnly) {
    return { dense: null, degraded: [{ reason: 'lexical_only', detail: 'memories are not embedded here' }] };
  }
  const away = (detail: string) => ({ dense: null, degraded: [{ reason: 'embedder_unavailable' as const, detail }] });
  if (embeddings.identity === null || embeddings.key !== identity) return away(`nothing here embeds as ${identity}`);
  try {
    const [dense = null] = await embeddings.embed([query], 'query', AbortSignal.timeout(embedWithinMs));
    return dense === null ? away('the embedder gave nothing') : { dense, degraded: [] };
  } catch (error) {
    return away(error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'the embedder failed');
  }
}

/** Without the address of the server. */
function reasonOf(error: unknown): string {
  const { name, message, status, cause } = error as Error & { status?: number; cause?: { code?: string } };
  if (status === 404) return 'there are no points yet';
  if (status !== undefined) return `it answers ${status}`;
  if (name === 'QdrantClientTimeoutError' || name === 'AbortError') return 'no answer in time';
  return cause?.code ?? message.split('\n')[0] ?? 'no answer';
}
