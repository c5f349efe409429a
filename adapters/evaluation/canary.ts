import { judgeCanary, type CanaryVerdict } from '../../domain/evaluation/canary.ts';
import { judge, type Judged } from '../../domain/evaluation/judge.ts';
import type { CanaryBound } from '../../domain/project/policy.ts';
import type { Question } from '../../domain/project/question-set.ts';
import type { SearchFunction, SearchScope } from '../search/search.ts';

export interface Canary {
  readonly search: SearchFunction;
  readonly project: string;
  readonly questions: readonly Question[];
  /** The wave's own, which nobody else can see yet. */
  readonly generation: number;
  /** What is visible now; 0: nothing. */
  readonly visible: number;
  readonly bound: Omit<CanaryBound, 'question_set'>;
  readonly signal: AbortSignal;
  /** After each question. */
  readonly beat?: () => void;
}

/** How deep the answers are looked at. */
const limit = 100;

/**
 * Row W7: the project's questions at the unseen generation and at what is visible. Rejects when a question could not be
 * asked as it will be (the model or Qdrant away): that says nothing of the wave, and another try may help.
 */
export async function runCanary({
  questions,
  generation,
  visible,
  bound,
  beat,
  ...asked
}: Canary): Promise<CanaryVerdict> {
  const after: Judged[] = [];
  const before: Judged[] = [];
  for (const question of questions) {
    after.push(await askAt(asked, question, { generation, unseen: true }));
    if (visible > 0) before.push(await askAt(asked, question, { generation: visible, unseen: false }));
    beat?.();
  }
  return judgeCanary(bound, after, visible > 0 ? before : null);
}

async function askAt(
  { search, project, signal }: Pick<Canary, 'search' | 'project' | 'signal'>,
  question: Question,
  at: Pick<SearchScope, 'generation' | 'unseen'>,
): Promise<Judged> {
  signal.throwIfAborted();
  const scopes = [{ project, asked: project, resolved_by: 'id' as const, ...at }];
  const { hits, degraded, foreign } = await search({ query: question.query, scopes, limit, signal });
  const away = degraded.find(({ reason }) => reason !== 'lexical_only');
  if (away !== undefined) throw new Error(`question ${question.id} cannot be judged: ${away.reason}: ${away.detail}`);
  return judge(question, hits, { named: [project], foreign });
}
