import { changeSince, comparisonsOf, tableOf } from '../../domain/evaluation/report.ts';
import { judgeBounds } from '../../domain/evaluation/shares.ts';
import type { EvaluationBounds } from '../../domain/project/policy.ts';
import type { EvaluationInput } from '../../domain/evaluation/run.ts';
import { scratchProject } from '../../domain/evaluation/run.ts';
import type { EvaluationResult } from '../../domain/evaluation/schemas.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import type { EvaluationStore } from '../postgres/evaluations.ts';
import type { PinStore } from '../postgres/pins.ts';
import type { ProjectStore } from '../postgres/projects.ts';
import type { QuestionSetStore } from '../postgres/question-sets.ts';
import type { SearchFunction, SearchScope } from '../search/search.ts';
import { measure, type Findings } from './measure.ts';
import { fromCollection, fromQuestionSet, type MeasuredQuestion } from './questions.ts';
import { ingest, keepScratch, type ScratchDeps } from './scratch.ts';
import { openTestCollection } from './test-collection.ts';

export interface EvaluateDeps extends ScratchDeps {
  readonly search: SearchFunction;
  readonly projects: Pick<ProjectStore, 'resolve' | 'resolveAll' | 'find'>;
  readonly questionSets: Pick<QuestionSetStore, 'find'>;
  readonly pins: Pick<PinStore, 'pin' | 'unpin'>;
  readonly evaluations: Pick<EvaluationStore, 'before' | 'update'>;
}

export interface Attempt {
  readonly signal: AbortSignal;
  readonly beat: (progress: EvaluationResult['progress']) => void;
}

/** Measures, compares, keeps the result. Everything it does may be done again by the next attempt. */
export async function evaluate(deps: EvaluateDeps, input: EvaluationInput, attempt: Attempt): Promise<void> {
  const { evaluation_id, request } = input;
  const { generation, ...found } =
    request.folder === undefined
      ? await ofProject(deps, input, attempt)
      : await ofFolder(deps, input, request.folder, attempt);
  const { answered } = found;
  const result: Partial<EvaluationResult> = {
    ...found,
    state: 'done',
    table: tableOf(answered),
    tests: comparisonsOf(answered, request.seed),
    since: await since(deps, input, found),
  };
  await deps.evaluations.update(evaluation_id, result, generation);
}

type Found = Findings &
  Pick<EvaluationResult, 'documents' | 'kept_project' | 'bounds'> & { readonly generation: number };

async function ofFolder(
  deps: EvaluateDeps,
  { evaluation_id, box, request }: EvaluationInput,
  folder: string,
  { signal, beat }: Attempt,
): Promise<Found> {
  const collection = await openTestCollection(folder, request.split ?? null);
  const { documents } = await ingest(deps, {
    evaluation_id,
    box,
    collection,
    signal,
    beat: (written) => beat({ documents: written, questions: 0 }),
  });
  const project = scratchProject(evaluation_id);
  const scopes = [{ project, asked: project, resolved_by: 'id' as const }];
  const questions = collection.queries.map(fromCollection);
  const findings = await measure({
    ...partsOf(deps, request),
    questions,
    scopes,
    signal,
    beat: (asked) => beat({ documents, questions: asked }),
  });
  const kept_project = request.keep ? await keepScratch(deps.sql, evaluation_id) : null;
  return { ...findings, documents, kept_project, bounds: [], generation: 1 };
}

/** All questions at one generation, which is held in place meanwhile. */
async function ofProject(
  deps: EvaluateDeps,
  { evaluation_id, request }: EvaluationInput,
  { signal, beat }: Attempt,
): Promise<Found> {
  const { project, questions, policy } = await questionsOf(deps, request);
  const generation = await deps.pins.pin(project, request.generation ?? null, pinOwner(evaluation_id));
  if (generation === null || generation === 0)
    throw new PermanentFailure('GenerationUnknown', `${project} has no such generation that could be asked`);
  const scopes = [
    { project, asked: project, resolved_by: 'id' as const, generation },
    ...(await rivals(deps, request.against, project)),
  ];
  const findings = await measure({
    ...partsOf(deps, request),
    questions,
    scopes,
    signal,
    beat: (asked) => beat({ documents: 0, questions: asked }),
  });
  const bounds = judgeBounds(policy, findings);
  return { ...findings, documents: 0, kept_project: null, bounds, generation };
}

async function questionsOf(
  { projects, questionSets }: EvaluateDeps,
  { project: name = '', question_set = '' }: EvaluationInput['request'],
): Promise<{ project: string; questions: MeasuredQuestion[]; policy: EvaluationBounds }> {
  const resolved = await projects.resolve(name);
  const found = resolved === null ? null : await projects.find(resolved.project);
  if (found === null) throw new PermanentFailure('ProjectUnknown', `No project is called ${name}`);
  const { project, spec } = found;
  const set = await questionSets.find(project, question_set);
  if (set === null) throw new PermanentFailure('QuestionSetUnknown', `${project} has no question set ${question_set}`);
  const questions = set.questions.map((question, index) => fromQuestionSet(project, question, index));
  return { project, questions, policy: spec.policy.evaluation };
}

async function rivals({ projects }: EvaluateDeps, names: readonly string[], project: string): Promise<SearchScope[]> {
  const resolved = await projects.resolveAll(names);
  const unknown = names.find((name) => !resolved.has(name));
  if (unknown !== undefined) throw new PermanentFailure('ProjectUnknown', `No project is called ${unknown}`);
  const others = new Map([...resolved].map(([asked, found]) => [found.project, { asked, ...found }]));
  others.delete(project);
  return [...others.values()];
}

function partsOf({ search }: EvaluateDeps, { k, depth }: EvaluationInput['request']) {
  return { search, settings: { k, depth } };
}

async function since(
  { evaluations }: EvaluateDeps,
  { evaluation_id, request }: EvaluationInput,
  { answered }: Findings,
): Promise<EvaluationResult['since']> {
  const last = await evaluations.before(evaluation_id);
  if (last === null) return null;
  const change = changeSince(answered, last.result.answered, request.seed);
  return change === null ? null : { ...change, evaluation: last.id, at: last.at.toISOString() };
}

/** Of the pin that holds what is evaluated. */
export function pinOwner(evaluationId: string): string {
  return `evaluation/${evaluationId}`;
}
