import type { GenerationStore, StoredGeneration } from '../../adapters/postgres/generations.ts';
import type { Outbox } from '../../adapters/postgres/outbox.ts';
import type { ProjectStore } from '../../adapters/postgres/projects.ts';
import type { CollectRuns } from '../../adapters/temporal/collect.ts';
import type { Generation } from '../../domain/wave/schemas.ts';
import { z } from 'zod';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import { knownProject } from './project.ts';

export interface GenerationRouteDeps {
  readonly projects: ProjectStore;
  readonly generations: GenerationStore;
  readonly outbox: Outbox;
  readonly collectRuns: CollectRuns;
}

const whyNot = {
  project_unknown: 'it is gone',
  nothing_visible: 'nothing was ever committed',
  held: 'it was rolled back before, and one generation is all that can be undone',
  collected: 'what was before it has been collected',
  not_visible: 'that generation is not what is visible',
} as const;

export function generationRoutes(route: Route, deps: GenerationRouteDeps): void {
  const { projects, generations, outbox, collectRuns } = deps;

  route('generation_list', async ({ params, query: { limit, cursor } }) => {
    const { project, visible } = await knownProject(projects, params.id);
    const before = readCursor('generation_list', cursor, z.number().int());
    const found = await generations.list(project, { limit: limit + 1, ...(before === undefined ? {} : { before }) });
    return { status: 200, body: page('generation_list', found, limit, ({ number }) => number, show(visible)) };
  });

  route('project_rollback', async ({ params, body: { number, reason }, caller }) => {
    const { project } = await knownProject(projects, params.id);
    const answer = await generations.rollBack(project, number ?? null, { actor: caller.actor, reason });
    if (!answer.ok) {
      const next = `holdfast project generations ${project}`;
      throw new ApiProblem('conflict', `${project} cannot be rolled back: ${whyNot[answer.reason]}.`, { next });
    }
    const { parent, doomed } = answer;
    await outbox.carry();
    // What it wrote is swept when nobody can hold its number any more; the next wave waits for that.
    await collectRuns.wake(project);
    return { status: 200, body: { project, number: answer.number, visible: parent, held: true, doomed } };
  });

  route('project_release', async ({ params, caller }) => {
    const { project } = await knownProject(projects, params.id);
    if (await generations.release(project, caller)) await outbox.carry();
    return { status: 204 };
  });
}

function show(visible: number): (generation: StoredGeneration) => Generation {
  return ({ number, parent, state, wave_id, collection, identity, documents, chunks, begun_at, ended_at }) => ({
    ...{ number, parent, state, wave_id, collection, identity, documents, chunks },
    visible: number === visible,
    begun_at: begun_at.toISOString(),
    ended_at: ended_at?.toISOString() ?? null,
  });
}
