import type { Leak } from '../../domain/evaluation/judge.ts';
import type { Scores } from '../../domain/evaluation/metrics.ts';
import { armsOf, rankers, type Answered, type Ranker } from '../../domain/evaluation/report.ts';
import type { EvaluationResult } from '../../domain/evaluation/schemas.ts';
import type { SearchSettings } from '../../domain/search/settings.ts';
import type { Searched, SearchFunction, SearchScope } from '../search/search.ts';
import type { MeasuredQuestion } from './questions.ts';

export interface Measurement {
  readonly search: SearchFunction;
  readonly questions: readonly MeasuredQuestion[];
  /** The first one is measured; the others are asked as well. */
  readonly scopes: readonly SearchScope[];
  readonly settings: Partial<SearchSettings>;
  readonly signal: AbortSignal;
  readonly beat: (questions: number) => void;
}

export type Findings = Pick<
  EvaluationResult,
  'identity' | 'chunks' | 'questions' | 'leaks' | 'trusted_share' | 'own_share' | 'degraded' | 'answered'
>;

/** Deep enough for the hundred best documents, of which several chunks may be found. */
const limit = 200;

/** Every question by each ranker. Rejects when Qdrant or the model is away: that would be measured as a worse ranking. */
export async function measure({ questions, scopes, search, settings, signal, beat }: Measurement): Promise<Findings> {
  const answered: Answered[] = [];
  const leaks: Leak[] = [];
  const shares = { hits: 0, trusted: 0, own: 0 };
  let first: Searched | null = null;
  let dense = true;
  for (const question of questions) {
    const scores: Partial<Record<Ranker, Scores>> = {};
    for (const ranker of rankers) {
      if (ranker === 'dense' && !dense) continue;
      signal.throwIfAborted();
      const answer = await search({ query: question.text, scopes, limit, settings, signal, arms: armsOf[ranker] });
      const whole = demandWhole(answer);
      dense = dense && whole;
      if (!dense && ranker === 'dense') continue;
      const measured = question.measure(
        answer,
        scopes.map(({ project }) => project),
      );
      scores[ranker] = measured.scores;
      if (ranker !== 'fused') continue;
      leaks.push(...measured.leaks);
      count(answer, scopes, shares);
      first ??= answer;
    }
    answered.push({ id: question.id, number: question.number, scores });
    beat(answered.length);
  }
  const own = first?.projects[0];
  return {
    identity: own?.identity ?? null,
    chunks: own?.chunks ?? 0,
    questions: answered.length,
    leaks: leaks.map((leak) => ({ ...leak })),
    trusted_share: shares.hits === 0 ? null : shares.trusted / shares.hits,
    own_share: scopes.length === 1 || shares.hits === 0 ? null : shares.own / shares.hits,
    degraded: [...new Set((first?.degraded ?? []).map(({ project, reason }) => `${project}: ${reason}`))],
    answered: answered.map((each) => ({ ...each })),
  };
}

/** False: there are no vectors to rank by. */
function demandWhole({ degraded }: Searched): boolean {
  const away = degraded.find(({ reason }) => reason !== 'lexical_only');
  if (away !== undefined) throw new Error(`the answers cannot be measured: ${away.reason}: ${away.detail}`);
  return degraded.length === 0;
}

function count(
  { hits }: Searched,
  scopes: readonly SearchScope[],
  shares: { hits: number; trusted: number; own: number },
): void {
  for (const { project, trusted } of hits.slice(0, 10)) {
    shares.hits += 1;
    if (trusted !== null) shares.trusted += 1;
    if (project === scopes[0]?.project) shares.own += 1;
  }
}
