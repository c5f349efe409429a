import fc from 'fast-check';
import { meanScores, scoresOf, type Scores } from '../../../domain/evaluation/metrics.ts';

const relevant = (...ids: string[]) => new Map(ids.map((id) => [id, 1]));

test('C9 the scores of an answer, worked out by hand', () => {
  const scores = scoresOf(['x', 'a', 'y', 'b'], relevant('a', 'b', 'c'));
  const best = 1 + 1 / Math.log2(3) + 1 / Math.log2(4);
  expect(scores.ndcg_at_10).toBeCloseTo((1 / Math.log2(3) + 1 / Math.log2(5)) / best, 12);
  expect(scores.recall_at_10).toBeCloseTo(2 / 3, 12);
  expect(scores.mrr).toBe(1 / 2);
});

test('C9 grades count as they are given, as in trec_eval: the gain is the grade itself', () => {
  const judged = new Map([
    ['good', 3],
    ['fair', 1],
    ['bad', 0],
    ['worse', -1],
  ]);
  const best = 3 + 1 / Math.log2(3);
  expect(scoresOf(['good', 'fair'], judged).ndcg_at_10).toBe(1);
  expect(scoresOf(['fair', 'good'], judged).ndcg_at_10).toBeCloseTo((1 + 3 / Math.log2(3)) / best, 12);
  expect(scoresOf(['bad', 'worse'], judged)).toEqual({ ndcg_at_10: 0, recall_at_10: 0, recall_at_100: 0, mrr: 0 });
});

test('C9 what comes after the tenth place counts for recall@100 and MRR only', () => {
  const filler = Array.from({ length: 10 }, (_, index) => `x${index}`);
  const scores = scoresOf([...filler, 'a'], relevant('a'));
  expect(scores).toEqual({ ndcg_at_10: 0, recall_at_10: 0, recall_at_100: 1, mrr: 1 / 11 });
});

test('C9 several chunks of a document are one place', () => {
  expect(scoresOf(['x', 'x', 'x', 'a'], relevant('a'))).toEqual(scoresOf(['x', 'a'], relevant('a')));
});

test('C9 a question without anything relevant scores nothing', () => {
  expect(scoresOf(['a'], new Map()).ndcg_at_10).toBe(0);
});

test('C9 scores are between 0 and 1, and a relevant document further up is never worse', () => {
  const ids = fc.uniqueArray(fc.integer({ min: 0, max: 30 }).map(String), { minLength: 2, maxLength: 25 });
  const grades = fc.dictionary(fc.integer({ min: 0, max: 30 }).map(String), fc.integer({ min: 1, max: 3 }));
  fc.assert(
    fc.property(ids, grades, fc.nat(), (ranked, judged, where) => {
      const judgements = new Map(Object.entries(judged));
      const before = scoresOf(ranked, judgements);
      for (const name of Object.keys(before) as (keyof Scores)[]) {
        expect(before[name]).toBeGreaterThanOrEqual(0);
        expect(before[name]).toBeLessThanOrEqual(1 + 1e-12);
      }
      const at = 1 + (where % (ranked.length - 1));
      const [upper = '', lower = ''] = [ranked[at - 1], ranked[at]];
      if ((judgements.get(lower) ?? 0) <= (judgements.get(upper) ?? 0)) return;
      const swapped = ranked.with(at - 1, lower).with(at, upper);
      expect(scoresOf(swapped, judgements).ndcg_at_10).toBeGreaterThanOrEqual(before.ndcg_at_10 - 1e-12);
    }),
  );
});

test('C9 the mean of no questions is 0, not a number that is none', () => {
  expect(meanScores([]).ndcg_at_10).toBe(0);
  expect(meanScores([scoresOf(['a'], relevant('a')), scoresOf([], relevant('a'))]).mrr).toBe(0.5);
});
