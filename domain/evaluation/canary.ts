import type { CanaryBound } from '../project/policy.ts';
import type { Judged, Leak } from './judge.ts';
import { meanScores, type Scores } from './metrics.ts';

export interface WorseQuestion {
  readonly question: string;
  /** null: nothing was visible before. */
  readonly before: number | null;
  readonly after: number;
}

/** Row W7: whether a wave may be kept, by the questions of its project. */
export interface CanaryVerdict {
  readonly ok: boolean;
  readonly reason: string;
  readonly asked: number;
  readonly after: Scores;
  readonly before: Scores | null;
  /** Those that got worse, worst first; where nothing was visible before, those that found nothing. */
  readonly worse: readonly WorseQuestion[];
  readonly leaks: readonly Leak[];
}

/** `before`: the same questions at what is visible now; null when that is nothing. */
export function judgeCanary(
  bound: Omit<CanaryBound, 'question_set'>,
  after: readonly Judged[],
  before: readonly Judged[] | null,
): CanaryVerdict {
  const leaks = after.flatMap((each) => each.leaks);
  const [now, then] = [meanOf(after), before === null ? null : meanOf(before)];
  const refusal = refusalOf(bound, now, then, leaks);
  const wasShown = then === null ? '' : `, ${shown(then[bound.metric])} before`;
  return {
    ok: refusal === null,
    reason: refusal ?? `${after.length} questions: ${bound.metric} ${shown(now[bound.metric])}${wasShown}; no leak`,
    asked: after.length,
    after: now,
    before: then,
    worse: worseOf(bound.metric, after, before),
    leaks,
  };
}

function refusalOf(
  { metric, max_drop, least }: Omit<CanaryBound, 'question_set'>,
  now: Scores,
  then: Scores | null,
  leaks: readonly Leak[],
): string | null {
  const [leak] = leaks;
  if (leak !== undefined) {
    const { question, project, term } = leak;
    const what =
      term === null ? `${project}, which was not asked` : `what it forbids, ${JSON.stringify(term)}, of ${project}`;
    return `question ${question} brought up ${what}; ${leaks.length} leaks in all`;
  }
  // A mean of many thirds and sevenths is not exact.
  const slack = 1e-9;
  if (now[metric] + slack < least) return `${metric} is ${shown(now[metric])}; at least ${shown(least)} is asked for`;
  if (then !== null && now[metric] + slack < then[metric] - max_drop)
    return `${metric} falls from ${shown(then[metric])} to ${shown(now[metric])}, by more than ${shown(max_drop)}`;
  return null;
}

function worseOf(
  metric: CanaryBound['metric'],
  after: readonly Judged[],
  before: readonly Judged[] | null,
): WorseQuestion[] {
  const known = new Map((before ?? []).map(({ question, scores }) => [question, scores[metric]]));
  const all = after.map(({ question, scores }) => {
    return { question, before: known.get(question) ?? null, after: scores[metric] };
  });
  const isWorse = ({ before: was, after: is }: WorseQuestion) => (was === null ? is === 0 : is < was);
  return all.filter(isWorse).sort((a, b) => a.after - (a.before ?? 0) - (b.after - (b.before ?? 0)));
}

function meanOf(judged: readonly Judged[]): Scores {
  return meanScores(judged.map(({ scores }) => scores));
}

const shown = (value: number): string => value.toFixed(3);
