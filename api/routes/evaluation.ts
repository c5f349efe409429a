import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { AllowedRoots } from '../../adapters/files/allowed-roots.ts';
import type { EvaluationStore, StoredEvaluation } from '../../adapters/postgres/evaluations.ts';
import type { ProjectStore } from '../../adapters/postgres/projects.ts';
import type { QuestionSetStore } from '../../adapters/postgres/question-sets.ts';
import type { EvaluationRuns } from '../../adapters/temporal/evaluations.ts';
import { RunInTheWay } from '../../adapters/temporal/start-alone.ts';
import { actions } from '../../domain/action.ts';
import { idOfRequest } from '../../domain/request-id.ts';
import { settingsOf, subjectOf, type EvaluationInput } from '../../domain/evaluation/run.ts';
import type { Evaluation, EvaluationRequest } from '../../domain/evaluation/schemas.ts';
import { allows, type Role } from '../../domain/role.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import type { Runs } from '../runs.ts';
import { knownProject } from './project.ts';

export interface EvaluationRouteDeps {
  readonly projects: ProjectStore;
  readonly questionSets: Pick<QuestionSetStore, 'find'>;
  readonly evaluations: EvaluationStore;
  readonly evaluationRuns: EvaluationRuns;
  readonly allowedRoots: AllowedRoots;
  readonly runs: Runs;
  /** Where a folder is. */
  readonly box: string;
}

export function evaluationRoutes(route: Route, deps: EvaluationRouteDeps): void {
  const { evaluations, evaluationRuns } = deps;

  route('evaluation_start', async ({ body, caller, key }) => {
    const { request, box } = await checked(deps, body, caller.role);
    const evaluation_id = key === null ? randomUUID() : idOfRequest(caller.id, key);
    const { subject, question_set } = subjectOf(request);
    const input = { evaluation_id, box, actor: caller.actor, subject, request };
    if ((await evaluations.find(evaluation_id)) === null) {
      // The row first: the run only ever fills it.
      await evaluations.open({
        ...{ id: evaluation_id, subject, project: request.project ?? null, question_set, actor: caller.actor },
        ...{ generation: request.generation ?? null, settings: settingsOf(request) },
      });
      await evaluationRuns.start(input).catch(endedBy(deps, input));
    }
    const evaluation = await known(evaluations, evaluation_id);
    return { status: 202, body: show(evaluation), location: `/v1/evaluations/${evaluation_id}` };
  });

  route('evaluation_list', async ({ query: { limit, cursor, subject }, caller: { projects: among } }) => {
    const before = readCursor('evaluation_list', cursor, z.uuid());
    const found = await evaluations.list({ limit: limit + 1, subject, before, among });
    return { status: 200, body: page('evaluation_list', found, limit, ({ id }) => id, show) };
  });

  route('evaluation_show', async ({ params: { id } }) => {
    return { status: 200, body: show(await known(evaluations, id)) };
  });
}

/** With the project's own id, and on the box where the work is. */
async function checked(
  { projects, questionSets, allowedRoots, box }: EvaluationRouteDeps,
  request: EvaluationRequest,
  role: Role,
): Promise<{ request: EvaluationRequest; box: string }> {
  const { project: name, question_set: set, folder } = request;
  if (folder !== undefined) {
    await checkFolder(allowedRoots, folder, role);
    return { request, box };
  }
  const { project, spec } = await knownProject(projects, name ?? '');
  for (const rival of request.against) await knownProject(projects, rival);
  if ((await questionSets.find(project, set ?? '')) !== null)
    return { request: { ...request, project }, box: spec.box };
  const next = `holdfast ${actions.question_set_list.command} ${project}`;
  throw new ApiProblem('not_found', `${project} has no question set ${set ?? ''}.`, { next });
}

/** Who may read any file of the box may have any folder read. */
async function checkFolder(allowedRoots: AllowedRoots, folder: string, role: Role): Promise<void> {
  if (allows(role, 'admin')) return;
  const obstacle = await allowedRoots.obstacle(folder);
  if (obstacle === null) return;
  const message =
    obstacle === 'outside'
      ? 'outside of the source roots, which only an administrator may name'
      : obstacle.replaceAll('_', ' ');
  throw new ApiProblem('invalid_request', `folder: ${message}`, { errors: [{ path: 'folder', message }] });
}

/** A run that is in the way is of another evaluation: this one never was. */
function endedBy({ evaluations, runs }: EvaluationRouteDeps, { evaluation_id, subject }: EvaluationInput) {
  return async (error: unknown): Promise<void> => {
    if (error instanceof RunInTheWay && error.record_id === evaluation_id) return;
    const reason =
      error instanceof RunInTheWay ? 'another evaluation of the same was under way' : 'it could not be started';
    await evaluations.update(evaluation_id, { state: 'failed', reason });
    if (!(error instanceof RunInTheWay)) throw error;
    const url = runs.urlOf(error.run);
    const next = `holdfast ${actions.evaluation_list.command} --subject ${subject}`;
    throw new ApiProblem('busy', error.message, { ...error.run, ...(url === null ? {} : { run_url: url }), next });
  };
}

async function known(evaluations: EvaluationStore, id: string): Promise<StoredEvaluation> {
  const found = await evaluations.find(id);
  if (found !== null) return found;
  const next = `holdfast ${actions.evaluation_list.command}`;
  throw new ApiProblem('not_found', `There is no evaluation ${id}.`, { next });
}

function show({ at, ...evaluation }: StoredEvaluation): Evaluation {
  return { ...evaluation, at: at.toISOString() };
}
