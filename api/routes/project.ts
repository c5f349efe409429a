import type { ProjectStore, StoredProject } from '../../adapters/postgres/projects.ts';
import { projectId, type Resolved } from '../../domain/project/names.ts';
import type { Project } from '../../domain/project/schemas.ts';
import { templates } from '../../domain/project/template.ts';
import { page, readCursor } from '../page.ts';
import { noProject } from '../project-scope.ts';
import type { Route } from '../route.ts';

export function projectRoutes(route: Route, { projects }: { readonly projects: ProjectStore }): void {
  // Before any project: its path is a word where an id could stand.
  route('template_list', async () => {
    const items = Object.entries(templates).map(([name, { description, sources, policy }]) => ({
      ...{ name, description },
      spec: { description: '', aliases: [], sources: [sources], policy },
    }));
    return { status: 200, body: { items, next_cursor: null } };
  });

  route('project_list', async ({ query: { limit, cursor }, caller: { projects: among } }) => {
    const after = readCursor('project_list', cursor, projectId);
    const found = await projects.list({ limit: limit + 1, among, ...(after === undefined ? {} : { after }) });
    return { status: 200, body: page('project_list', found, limit, ({ project }) => project, showProject) };
  });

  route('project_show', async ({ params }) => {
    const { resolved_by, ...found } = await knownProject(projects, params.id);
    return { status: 200, body: { ...showProject(found), resolved_by } };
  });
}

/** The project that a name means, and how it was understood. Every path that names a project asks here. */
export async function knownProject(
  projects: Pick<ProjectStore, 'resolve' | 'find'>,
  name: string,
): Promise<StoredProject & Resolved> {
  const resolved = await projects.resolve(name);
  const found = resolved === null ? null : await projects.find(resolved.project);
  if (resolved !== null && found !== null) return { ...found, ...resolved };
  throw noProject(name);
}

function showProject(found: StoredProject): Project {
  const { project, version, spec, visible, held, created_at, updated_at } = found;
  const times = { created_at: created_at.toISOString(), updated_at: updated_at.toISOString() };
  return { project, version, spec, visible, held, ...times };
}
