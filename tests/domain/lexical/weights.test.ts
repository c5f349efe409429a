import fc from 'fast-check';
import { termHash, termsOf } from '../../../domain/lexical/terms.ts';
import {
  chunkWeights,
  idf,
  questionTerms,
  questionWeights,
  sparseScore,
  type SparseVector,
} from '../../../domain/lexical/weights.ts';

const word = fc.constantFrom('flow', 'wing', 'heat', 'shock', 'layer', 'boundary', 'plate', 'mach', 'jet', 'lift');
const text = fc.array(word, { minLength: 1, maxLength: 40 }).map((words) => words.join(' '));

function statisticsOf(chunks: readonly SparseVector[]) {
  const withTerm = new Map<number, number>();
  for (const term of chunks.flatMap(({ indices }) => indices)) withTerm.set(term, (withTerm.get(term) ?? 0) + 1);
  return { chunks: chunks.length, withTerm };
}

/** BM25 as the textbook has it, k1 1.6, b 0.75, with 100 for the average length. */
function textbook(question: string, chunk: string, all: readonly string[]): number {
  const terms = termsOf(chunk);
  return termsOf(question).reduce((sum, term) => {
    const frequency = terms.filter((each) => each === term).length;
    const withTerm = all.filter((each) => termsOf(each).includes(term)).length;
    if (withTerm === 0) return sum;
    const rare = Math.log(1 + (all.length - withTerm + 0.5) / (withTerm + 0.5));
    return sum + (rare * (frequency * 2.6)) / (frequency + 1.6 * (0.25 + (0.75 * terms.length) / 100));
  }, 0);
}

test('G10 the two halves together are BM25, whatever the chunks and the question are', () => {
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 12 }), text, (chunks, question) => {
      const vectors = chunks.map((chunk) => chunkWeights(chunk));
      const weights = questionWeights(questionTerms(question), statisticsOf(vectors));
      for (const [at, vector] of vectors.entries())
        expect(sparseScore(weights, vector)).toBeCloseTo(textbook(question, chunks[at] ?? '', chunks), 4);
    }),
    { numRuns: 50 },
  );
});

test('G10 what a chunk stores is decided by the chunk alone: indices ascend, each once, values are float32', () => {
  fc.assert(
    fc.property(text, (chunk) => {
      const { indices, values } = chunkWeights(chunk);
      expect(indices).toEqual([...new Set(termsOf(chunk).map(termHash))].sort((one, other) => one - other));
      expect(values).toEqual(values.map(Math.fround));
      expect(values.every((value) => value > 0 && value < 2.6)).toBe(true);
    }),
  );
});

test('a word of a heading counts three times more than where it stands, and no other word is heavier for it', () => {
  const whole = 'Router reset\n\nhold the button';
  const weightOf = (word: string, { indices, values }: SparseVector) =>
    values[indices.indexOf(termHash(termsOf(word)[0] ?? ''))] ?? 0;
  const repeated = chunkWeights(`${whole} router reset router reset router reset`);
  expect(chunkWeights(whole, ['Router reset'])).toEqual(repeated);
  expect(weightOf('router', repeated)).toBeGreaterThan(weightOf('router', chunkWeights(whole)));
  expect(weightOf('button', repeated)).toBeLessThan(weightOf('button', chunkWeights(whole)));
});

test('a rarer term counts more, and one that is everywhere counts a little still', () => {
  const values = [1, 10, 500, 999, 1_000].map((withTerm) => idf(1_000, withTerm));
  expect(values).toEqual([...values].sort((one, other) => other - one));
  expect(values.at(-1)).toBeGreaterThan(0);
});

test('a term that no chunk has is left out of the question', () => {
  const weights = questionWeights(questionTerms('flow zeppelin'), {
    chunks: 10,
    withTerm: new Map([[termHash('flow'), 3]]),
  });
  expect(weights.indices).toEqual([termHash('flow')]);
});
