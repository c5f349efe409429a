import type { ProjectStore } from '../../adapters/postgres/projects.ts';
import { GenerationGone } from '../../adapters/search/scopes.ts';
import type { SearchFunction, SearchScope } from '../../adapters/search/search.ts';
import { actions } from '../../domain/action.ts';
import { ApiProblem } from '../problem.ts';
import { noProject } from '../project-scope.ts';
import type { Route } from '../route.ts';

export interface SearchRouteDeps {
  readonly projects: Pick<ProjectStore, 'resolveAll'>;
  readonly search: SearchFunction;
}

export function searchRoutes(route: Route, { projects, search }: SearchRouteDeps): void {
  route('search', async ({ body: { query, projects: names, limit, generation = null, kind = null } }) => {
    const scopes = (await scopesOf(projects, names)).map((scope) => ({ ...scope, generation }));
    const { hits, degraded, ...found } = await search({ query, scopes, limit, kind }).catch(refuseGeneration);
    return { status: 200, body: { query, projects: found.projects, hits, degraded } };
  });
}

/** Each project once, however often it is named. An unknown name is refused: searching the others would look whole. */
async function scopesOf(projects: Pick<ProjectStore, 'resolveAll'>, names: readonly string[]): Promise<SearchScope[]> {
  const resolved = await projects.resolveAll(names);
  const scopes = new Map<string, SearchScope>();
  for (const asked of names) {
    const found = resolved.get(asked);
    if (found === undefined) throw noProject(asked);
    if (!scopes.has(found.project)) scopes.set(found.project, { asked, ...found });
  }
  return [...scopes.values()];
}

function refuseGeneration(error: unknown): never {
  if (!(error instanceof GenerationGone)) throw error;
  const next = `holdfast ${actions.generation_list.command} ${error.project}`;
  throw new ApiProblem('not_found', `${error.message}.`, { next });
}
