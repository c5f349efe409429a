import { termHashesOf } from './terms.ts';

// BM25 in two halves (G10): a point stores what a chunk alone decides, and the question brings the project's statistics, so that
// other projects and unseen generations change no ranking.

/** Indices ascending, each once; values as float32 keeps them. */
export interface SparseVector {
  readonly indices: readonly number[];
  readonly values: readonly number[];
}

/** What is alive at a generation: how many chunks, and in how many of them each term is. */
export interface TermStatistics {
  readonly chunks: number;
  readonly withTerm: ReadonlyMap<number, number>;
}

// Chosen on the odd-numbered Cranfield questions (docs/reference/evaluation.md).
const k1 = 1.6;
const b = 0.75;
/** Terms of a chunk. A constant: the real one changes with each wave, and every stored weight would with it. */
const averageTerms = 100;
/** How often a word of a heading counts on top of where it stands: what a section is about is in its heading. */
const headingTimes = 3;

/** `text`: what is embedded of a chunk, with its headings. Saturated, length-normalised frequencies. */
export function chunkWeights(text: string, heading: readonly string[] = []): SparseVector {
  const [inText, inHeading] = [termHashesOf(text), heading.flatMap(termHashesOf)];
  const counts = new Map<number, number>();
  count(inText, 1, counts);
  count(inHeading, headingTimes, counts);
  const terms = inText.length + headingTimes * inHeading.length;
  const length = k1 * (1 - b + (b * terms) / averageTerms);
  return sorted(counts, (times) => (times * (k1 + 1)) / (times + length));
}

/** The terms of a question and how often each is in it. */
export function questionTerms(question: string): ReadonlyMap<number, number> {
  return count(termHashesOf(question), 1, new Map());
}

export function idf(chunks: number, withTerm: number): number {
  return Math.log(1 + (chunks - withTerm + 0.5) / (withTerm + 0.5));
}

/** What is in no chunk is left out: it can find nothing. */
export function questionWeights(
  terms: ReadonlyMap<number, number>,
  { chunks, withTerm }: TermStatistics,
): SparseVector {
  const known = [...terms].flatMap(([term, times]): [number, number][] => {
    const inChunks = withTerm.get(term) ?? 0;
    return inChunks === 0 ? [] : [[term, times * idf(chunks, inChunks)]];
  });
  return sorted(new Map(known), (weight) => weight);
}

/** BM25, from the two halves. */
export function sparseScore(question: SparseVector, chunk: SparseVector): number {
  let sum = 0;
  for (let q = 0, c = 0; q < question.indices.length && c < chunk.indices.length;) {
    const [wanted = 0, there = 0] = [question.indices[q], chunk.indices[c]];
    if (wanted === there) sum += (question.values[q] ?? 0) * (chunk.values[c] ?? 0);
    if (wanted <= there) q += 1;
    if (there <= wanted) c += 1;
  }
  return sum;
}

function count(hashes: readonly number[], times: number, into: Map<number, number>): ReadonlyMap<number, number> {
  for (const hash of hashes) into.set(hash, (into.get(hash) ?? 0) + times);
  return into;
}

function sorted(terms: ReadonlyMap<number, number>, weight: (of: number) => number): SparseVector {
  // An array of this kind sorts itself by number, and fast.
  const indices = Array.from(Uint32Array.from(terms.keys()).sort());
  return { indices, values: indices.map((term) => Math.fround(weight(terms.get(term) ?? 0))) };
}
