import { lexicalOnly } from '../../domain/embedding.ts';
import { questionWeights } from '../../domain/lexical/weights.ts';
import type { Degraded } from '../../domain/search/schemas.ts';
import type { Embedder } from '../embeddings/embedder.ts';
import type { SeenProject } from './scopes.ts';

/** A project that is asked, with the question as its model and its statistics put it. */
export interface Part {
  readonly project: string;
  readonly generation: number;
  readonly collection: string;
  readonly chunks: number;
  /** null: that arm is not asked. */
  readonly dense: Float32Array | null;
  /** Empty: that arm is not asked. */
  readonly terms: ReadonlyMap<number, number>;
}

export interface Question {
  readonly query: string;
  readonly terms: ReadonlyMap<number, number>;
  readonly dense: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** A model that is just being loaded is waited for; one that hangs is not. */
const embedWithinMs = 5_000;

/** Of the projects that hold anything. Each model embeds the question once; what it cannot is said in `degraded`. */
export async function makeParts(
  embedderOf: (identity: string) => Embedder | null,
  question: Question,
  seen: readonly SeenProject[],
): Promise<{ parts: Part[]; degraded: Degraded[] }> {
  const there = seen.flatMap(({ seen: at, ...rest }) => (at === null ? [] : [{ ...rest, ...at }]));
  const vectors = new Map<string, Promise<Embedded>>();
  const vectorOf = (identity: string): Promise<Embedded> => {
    const made = vectors.get(identity) ?? embed(embedderOf(identity), identity, question);
    vectors.set(identity, made);
    return made;
  };
  const degraded: Degraded[] = [];
  const parts = await Promise.all(
    there.map(async ({ project, generation, collection, chunks, identity, withTerm }): Promise<Part> => {
      const { indices, values } = questionWeights(question.terms, { chunks, withTerm });
      const terms = new Map(indices.map((term, index) => [term, values[index] ?? 0]));
      const part = { project, generation, collection, chunks, terms };
      if (!question.dense) return { ...part, dense: null };
      const embedded = await vectorOf(identity);
      if (!('away' in embedded)) return { ...part, dense: embedded.vector };
      degraded.push({ project, ...embedded.away });
      return { ...part, dense: null };
    }),
  );
  return { parts, degraded };
}

type Embedded = { readonly vector: Float32Array } | { readonly away: Omit<Degraded, 'project'> };

async function embed(embedder: Embedder | null, identity: string, { query, signal }: Question): Promise<Embedded> {
  if (identity === lexicalOnly) {
    const detail = 'its chunks were written without a model: found by words alone';
    return { away: { reason: 'lexical_only', detail } };
  }
  const unavailable = (detail: string): Embedded => ({ away: { reason: 'embedder_unavailable', detail } });
  if (embedder === null) return unavailable(`nothing here embeds as ${identity}`);
  const late = AbortSignal.timeout(embedWithinMs);
  try {
    const [vector] = await embedder.embed(
      [query],
      'query',
      signal === undefined ? late : AbortSignal.any([late, signal]),
    );
    return vector === undefined ? unavailable('the embedder gave nothing') : { vector };
  } catch (error) {
    signal?.throwIfAborted();
    return unavailable(error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'the embedder failed');
  }
}
