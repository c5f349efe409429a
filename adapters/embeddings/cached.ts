import type { VectorStore } from '../postgres/vectors.ts';
import type { Embedder } from './embedder.ts';

export interface TextOfSum {
  /** Of the text: `embeddedSha256`. */
  readonly sha256: Uint8Array;
  readonly text: string;
}

/**
 * A vector a text, in their order: from the rows that are there, else made, equal texts once. Nothing is written; `embedded`
 * are those that were made.
 */
export async function embedWithCache(
  embedder: Embedder,
  store: Pick<VectorStore, 'find'>,
  texts: readonly TextOfSum[],
  signal: AbortSignal,
): Promise<{ readonly vectors: readonly Float32Array[]; readonly embedded: number }> {
  const sums = texts.map(({ sha256 }) => Buffer.from(sha256).toString('hex'));
  const bySum = new Map(texts.map((each, at) => [sums[at] ?? '', each]));
  const known = await store.find(
    embedder.key,
    [...bySum.values()].map(({ sha256 }) => sha256),
  );
  const missing = [...bySum].filter(([sum]) => !known.has(sum));
  const made = await embedder.embed(
    missing.map(([, { text }]) => text),
    'passage',
    signal,
  );
  missing.forEach(([sum], at) => known.set(sum, made[at] ?? missingVector()));
  return { vectors: sums.map((sum) => known.get(sum) ?? missingVector()), embedded: missing.length };
}

function missingVector(): never {
  throw new Error('an embedder gives one vector a text');
}
