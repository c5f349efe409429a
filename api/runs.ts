import { RunInTheWay, type RunReference } from '../adapters/temporal/deploys.ts';
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

/** For `catch`: a run in the way is a 409 that names it; any other error goes on. */
export function busyWith(runs: Runs, service: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof RunInTheWay)) throw error;
    const url = runs.urlOf(error.run);
    const { deploy_list, deploy_show } = actions;
    const next =
      error.deploy_id === null
        ? `holdfast ${deploy_list.command} ${service}`
        : `holdfast ${deploy_show.command} ${error.deploy_id}`;
    throw new ApiProblem('busy', error.message, { ...error.run, ...(url === null ? {} : { run_url: url }), next });
  };
}
