import { RunInTheWay, type RunReference } from '../adapters/temporal/start-alone.ts';
import { actions } from '../domain/action.ts';
import { ApiProblem } from './problem.ts';

export interface Runs {
  /** The run in Temporal's UI; null when no UI is known. */
  readonly urlOf: (run: RunReference) => string | null;
}

export function createRuns(uiUrl: string | null, namespace: string): Runs {
  return {
    urlOf: ({ workflow_id, run_id }) =>
      uiUrl === null
        ? null
        : `${uiUrl.replace(/\/+$/, '')}/namespaces/${namespace}/workflows/${encodeURIComponent(workflow_id)}/${run_id}/history`,
  };
}

/** How the run in the way is looked at: the command that lists, for a subject, and the one that shows one of them. */
const looks = {
  service: [actions.deploy_list.command, actions.deploy_show.command],
  project: [actions.wave_list.command, actions.wave_show.command],
  restore: [actions.restore_list.command, actions.restore_show.command],
  drill: [actions.drill_list.command, actions.drill_show.command],
  backup: [actions.backup_run_list.command, actions.backup_run_show.command],
} as const;

/** For `catch`: a run in the way is a 409 that names it; any other error goes on. */
export function busyWith(runs: Runs, kind: keyof typeof looks, subject: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof RunInTheWay)) throw error;
    const url = runs.urlOf(error.run);
    const [list, show] = looks[kind];
    const next =
      error.record_id === null ? `holdfast ${list} ${subject}`.trimEnd() : `holdfast ${show} ${error.record_id}`;
    throw new ApiProblem('busy', error.message, { ...error.run, ...(url === null ? {} : { run_url: url }), next });
  };
}
