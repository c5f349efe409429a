import type { Outbox } from '../../adapters/postgres/outbox.ts';
import type { ProjectStore } from '../../adapters/postgres/projects.ts';
import type { QuestionSetStore, StoredQuestionSet } from '../../adapters/postgres/question-sets.ts';
import type { Resolved } from '../../domain/project/names.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import { knownProject } from './project.ts';

export interface QuestionSetRouteDeps {
  readonly projects: ProjectStore;
  readonly questionSets: QuestionSetStore;
  readonly outbox: Outbox;
}

export function questionSetRoutes(route: Route, { projects, questionSets, outbox }: QuestionSetRouteDeps): void {
  route('question_set_put', async ({ params, body: { questions }, caller }) => {
    const of = await knownProject(projects, params.id);
    const [project, { name }] = [of.project, params];
    const done = await questionSets.put({ project, name, questions }, caller.actor);
    await outbox.carry();
    const body = show(of, await known(questionSets, project, name));
    return { status: done === 'created' ? 201 : 200, body, location: `/v1/projects/${project}/question_sets/${name}` };
  });

  route('question_set_list', async ({ params }) => {
    const { project, resolved_by } = await knownProject(projects, params.id);
    const found = await questionSets.list(project);
    const items = found.map(({ updated_at, ...set }) => ({ ...set, updated_at: updated_at.toISOString() }));
    return { status: 200, body: { project, resolved_by, items, next_cursor: null } };
  });

  route('question_set_show', async ({ params }) => {
    const of = await knownProject(projects, params.id);
    return { status: 200, body: show(of, await known(questionSets, of.project, params.name)) };
  });
}

async function known(questionSets: QuestionSetStore, project: string, name: string): Promise<StoredQuestionSet> {
  const found = await questionSets.find(project, name);
  if (found !== null) return found;
  const next = `holdfast question-set list ${project}`;
  throw new ApiProblem('not_found', `${project} has no question set ${name}.`, { next });
}

function show({ resolved_by }: Resolved, { updated_at, ...set }: StoredQuestionSet) {
  return { ...set, resolved_by, updated_at: updated_at.toISOString() };
}
