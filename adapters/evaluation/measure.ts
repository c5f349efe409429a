import type { Leak } from '../../domain/evaluation/judge.ts';
import type { Scores } from '../../domain/evaluation/metrics.ts';
import { armsOf, rankers, type Answered, type Ranker } from '../../domain/evaluation/report.ts';
import { sharedPlaces, sharesOf, type Share, type Shares } from '../../domain/evaluation/shares.ts';
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

export type Findings = Pick<EvaluationResult, 'identity' | 'chunks' | 'questions' | 'leaks' | 'degraded' | 'answered'> &
  Shares;

/** Deep enough for the hundred best documents, of which several chunks may be found. */
const limit = 200;

/** Every question by each ranker. Rejects when Qdrant or the model is away: that would be measured as a worse ranking. */
export async function measure({ questions, scopes, search, settings, signal, beat }: Measurement): Promise<Findings> {
  const answered: Answered[] = [];
  const leaks: Leak[] = [];
  const best: Share[][] = [];
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
      best.push(
        answer.hits.slice(0, sharedPlaces).map(({ project, trusted }) => ({ project, trusted: trusted !== null })),
      );
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
    ...sharesOf(
      best,
      scopes.map(({ project }) => project),
    ),
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
