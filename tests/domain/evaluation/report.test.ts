import { changeSince, comparisonsOf, tableOf, type Answered } from '../../../domain/evaluation/report.ts';

const scores = (ndcg_at_10: number) => ({ ndcg_at_10, recall_at_10: 0, recall_at_100: 0, mrr: 0 });
const answered = (count: number, fused: number, bm25 = 0.3): Answered[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `q${index + 1}`,
    number: index + 1,
    scores: { bm25: scores(bm25), fused: scores(fused + (index % 3) / 10) },
  }));

test('C9 the table has each ranker on all, odd and even questions, and none that answered nothing', () => {
  const table = tableOf(answered(5, 0.5));
  expect(table.map(({ part, ranker, questions }) => [part, ranker, questions])).toEqual([
    ...[['all', 'bm25', 5] as const, ['all', 'fused', 5] as const],
    ...[['odd', 'bm25', 3] as const, ['odd', 'fused', 3] as const],
    ...[['even', 'bm25', 2] as const, ['even', 'fused', 2] as const],
  ]);
});

test('C9 fused is compared with the arms that there are', () => {
  const tests = comparisonsOf(answered(60, 0.5), 1);
  expect(tests.map(({ part, second }) => `${part} ${second}`)).toEqual(['all bm25', 'odd bm25', 'even bm25']);
  expect(tests.every(({ difference, randomised_p }) => difference > 0.2 && randomised_p < 0.01)).toBe(true);
});

test('C9 a run is compared with an earlier one on the questions of both', () => {
  const change = changeSince(answered(40, 0.5), answered(30, 0.4), 1);
  expect(change).toMatchObject({ ranker: 'fused', questions: 30 });
  expect(change?.difference).toBeCloseTo(0.1, 9);
  expect(changeSince(answered(3, 0.5), [], 1)).toBeNull();
});
