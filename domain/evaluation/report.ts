import type { Arm } from '../search/settings.ts';
import { meanScores, type Scores } from './metrics.ts';
import { pairedTest, type PairedTest } from './paired-test.ts';

/** What is measured beside each other. */
export const rankers = ['bm25', 'dense', 'fused'] as const;
export type Ranker = (typeof rankers)[number];

export const armsOf: Readonly<Record<Ranker, readonly Arm[]>> = {
  bm25: ['lexical'],
  dense: ['dense'],
  fused: ['dense', 'lexical'],
};

/** Settings are chosen on the odd questions and reported on the even ones. */
export const parts = ['all', 'odd', 'even'] as const;
export type Part = (typeof parts)[number];

export interface Answered {
  readonly id: string;
  /** From 1. */
  readonly number: number;
  readonly scores: Readonly<Partial<Record<Ranker, Scores>>>;
}

export interface Row {
  readonly part: Part;
  readonly ranker: Ranker;
  readonly questions: number;
  readonly scores: Scores;
}

export interface Comparison extends PairedTest {
  readonly part: Part;
  readonly first: Ranker;
  readonly second: Ranker;
  readonly score: keyof Scores;
}

/** The table: each ranker on all questions, on the odd and on the even ones. A ranker that answered nothing has no row. */
export function tableOf(answered: readonly Answered[]): Row[] {
  return parts.flatMap((part) =>
    rankers.flatMap((ranker): Row[] => {
      const scores = answered.filter(isIn(part)).flatMap((each) => each.scores[ranker] ?? []);
      return scores.length === 0 ? [] : [{ part, ranker, questions: scores.length, scores: meanScores(scores) }];
    }),
  );
}

/** Fused against each arm, by nDCG@10. */
export function comparisonsOf(answered: readonly Answered[], seed: number): Comparison[] {
  return parts.flatMap((part) =>
    (['bm25', 'dense'] as const).flatMap((second): Comparison[] => {
      const both = answered.filter(isIn(part)).flatMap(({ scores: { fused, [second]: arm } }) => {
        return fused === undefined || arm === undefined ? [] : [[fused.ndcg_at_10, arm.ndcg_at_10] as const];
      });
      if (both.length === 0) return [];
      const test = pairedTest(
        both.map(([fused]) => fused),
        both.map(([, arm]) => arm),
        { rounds, seed },
      );
      return [{ part, first: 'fused', second, score: 'ndcg_at_10', ...test }];
    }),
  );
}

/** This run against an earlier one, on the questions that both answered with the same ranker. */
export function changeSince(
  answered: readonly Answered[],
  earlier: readonly Answered[],
  seed: number,
): (PairedTest & { readonly ranker: Ranker }) | null {
  const before = new Map(earlier.map(({ id, scores }) => [id, scores]));
  for (const ranker of ['fused', 'bm25'] as const) {
    const both = answered.flatMap(({ id, scores }) => {
      const [now, then] = [scores[ranker], before.get(id)?.[ranker]];
      return now === undefined || then === undefined ? [] : [[now.ndcg_at_10, then.ndcg_at_10] as const];
    });
    if (both.length === 0) continue;
    const test = pairedTest(
      both.map(([now]) => now),
      both.map(([, then]) => then),
      { rounds, seed },
    );
    return { ranker, ...test };
  }
  return null;
}

const rounds = 10_000;

function isIn(part: Part): (answered: Answered) => boolean {
  return ({ number }) => part === 'all' || number % 2 === (part === 'odd' ? 1 : 0);
}
