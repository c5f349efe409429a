import type { EvaluationStore } from '../adapters/postgres/evaluations.ts';
import type { Memories } from '../adapters/memories/memories.ts';
import type { ProjectStore } from '../adapters/postgres/projects.ts';
import type { RegistrationStore } from '../adapters/postgres/registrations.ts';
import type { Caller } from '../adapters/postgres/tokens.ts';
import type { WaveStore } from '../adapters/postgres/waves.ts';
import { actions, type ActionName } from '../domain/action.ts';
import { ApiProblem } from './problem.ts';

export interface ScopeDeps {
  readonly projects: Pick<ProjectStore, 'resolveAll'>;
  readonly waves: Pick<WaveStore, 'find'>;
  readonly registrations: Pick<RegistrationStore, 'find'>;
  readonly evaluations: Pick<EvaluationStore, 'find'>;
  readonly memories: Pick<Memories, 'find'>;
}

/** A request that was understood. */
interface Parts {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
}

/** Throws ApiProblem when a token for some projects asks for something else. */
export type DemandScope = (name: ActionName, caller: Caller, parts: Parts) => Promise<void>;

/**
 * How an action names its projects. `nothing`: it names none. `filtered`: its handler shows what the token may see. `body`:
 * by names in the body. `named`: by a name in the body or the query; without one it is of none. `new`: by the id of what may not be there yet. What is not here is not for such a token: a new action says first whose it is.
 */
const scopes: Partial<
  Record<
    ActionName,
    'nothing' | 'filtered' | 'project' | 'wave' | 'proposal' | 'evaluation' | 'memory' | 'body' | 'named' | 'new'
  >
> = {
  ...{ health_show: 'nothing', template_list: 'nothing' },
  ...{ project_list: 'filtered', proposal_list: 'filtered', evaluation_list: 'filtered' },
  ...{ project_show: 'project', project_refine_propose: 'project', project_refresh: 'project' },
  ...{ project_rollback: 'project', project_release: 'project', generation_list: 'project' },
  ...{ question_set_list: 'project', question_set_show: 'project', question_set_put: 'project' },
  ...{ source_status: 'project', source_files: 'project', source_upload: 'project', source_file_remove: 'project' },
  ...{ wave_start: 'project', wave_list: 'project' },
  ...{ wave_show: 'wave', wave_items: 'wave', wave_approve: 'wave', wave_pause: 'wave', wave_resume: 'wave' },
  ...{ wave_cancel: 'wave', wave_retry: 'wave', wave_complete: 'wave' },
  ...{ proposal_show: 'proposal', proposal_approve: 'proposal', proposal_reject: 'proposal' },
  ...{ proposal_withdraw: 'proposal', evaluation_show: 'evaluation' },
  ...{ project_propose: 'new', search: 'body', evaluation_start: 'body' },
  ...{ memory_search: 'body', memory_create: 'named', memory_list: 'named' },
  ...{ memory_show: 'memory', memory_forget: 'memory' },
};

/** Whether a token may ask for it at all; one for some projects may not ask for what is of none. */
export function isWithin(name: ActionName, { projects }: Caller): boolean {
  return projects === null || scopes[name] !== undefined;
}

/** Before anything is said of what is asked. */
export function demandWithin(name: ActionName, caller: Caller): void {
  if (isWithin(name, caller)) return;
  throw forbidden(caller, `; ${name} needs one for everything`);
}

function forbidden({ projects }: Caller, more = ''): ApiProblem {
  return new ApiProblem('forbidden', `This token is for ${projects?.join(', ') ?? ''} only${more}.`);
}

/** Row O2. What is outside of a token's projects is for it as if it were not there. */
export function createProjectScope({ projects, waves, registrations, evaluations, memories }: ScopeDeps): DemandScope {
  async function demandNames(own: readonly string[], names: readonly string[]): Promise<void> {
    const found = await projects.resolveAll(names);
    for (const name of names) {
      const { project = null } = found.get(name) ?? {};
      // One that nobody has is for the action to refuse, in the same words.
      if (project !== null && !own.includes(project)) throw noProject(name);
    }
  }

  const byId = {
    wave: async (id: string) => (await waves.find(id))?.project,
    proposal: async (id: string) => (await registrations.find(id))?.project,
    evaluation: async (id: string) => (await evaluations.find(id))?.project,
    memory: async (id: string) => (await memories.find(id))?.project,
  };

  return async (name, caller, { params, query, body }) => {
    const { projects: own } = caller;
    const how = scopes[name] ?? 'nothing';
    if (own === null || how === 'nothing' || how === 'filtered') return;
    if (how === 'body') {
      const { folder, project, projects: several = [], against = [] } = body as Body;
      if (folder !== undefined) throw forbidden(caller, ', and a folder is of none');
      return demandNames(own, [...(project === undefined ? [] : [project]), ...several, ...against]);
    }
    if (how === 'named') {
      const { project } = { ...(query as Body | undefined), ...(body as Body | undefined) };
      if (project === undefined) throw forbidden(caller, '; name one of them');
      return demandNames(own, [project]);
    }
    if (how === 'new') {
      const { project } = body as { readonly project: string };
      if (own.includes(project)) return;
      throw forbidden(caller);
    }
    const { id } = params as { readonly id: string };
    if (how === 'project') return demandNames(own, [id]);
    const project = await byId[how](id);
    // undefined: there is none, as the action will say. null: of no project, but of a folder of the box.
    if (project === undefined || (project !== null && own.includes(project))) return;
    const next = how === 'wave' ? {} : { next: `holdfast ${actions[`${how}_list`].command}` };
    throw new ApiProblem('not_found', `There is no ${how} ${id}.`, next);
  };
}

interface Body {
  readonly project?: string;
  readonly projects?: readonly string[];
  readonly against?: readonly string[];
  readonly folder?: string;
}

/** The same whether it is not there or not to be seen. */
export function noProject(name: string): ApiProblem {
  return new ApiProblem('not_found', `No project has the name ${name}.`, {
    next: `holdfast ${actions.project_list.command}`,
  });
}
