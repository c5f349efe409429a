import type { Request } from 'express';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { DeployStore, StoredDeploy } from '../../adapters/postgres/deploys.ts';
import type { ServiceStore } from '../../adapters/postgres/services.ts';
import type { DeployRuns } from '../../adapters/temporal/deploys.ts';
import { RunInTheWay, type RunReference } from '../../adapters/temporal/start-alone.ts';
import { idOfRequest } from '../../domain/request-id.ts';
import { emptyResult } from '../../domain/deploy/result.ts';
import type { DeployInput } from '../../domain/deploy/run.ts';
import type { Deploy } from '../../domain/deploy/schemas.ts';
import type { ServiceSpec } from '../../domain/service.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import { busyWith, type Runs } from '../runs.ts';
import type { Streams } from '../streams.ts';
import { showOverride } from './override.ts';
import { known } from './service.ts';

export interface DeployRouteDeps {
  readonly services: ServiceStore;
  readonly deploys: DeployStore;
  readonly start: DeployRuns['start'];
  readonly runs: Runs;
  readonly streams: Streams<StoredDeploy>;
}

export function deployRoutes(route: Route, deps: DeployRouteDeps): void {
  const { services, deploys, runs, streams } = deps;
  const show = showDeploy(runs);

  route('deploy_start', async ({ params, body, caller, key }) => {
    const { name, spec } = await known(services, params.name);
    const deploy_id = key === null ? randomUUID() : idOfRequest(caller.id, key);
    const input = { deploy_id, service: name, box: spec.box, actor: caller.actor, request: body };
    // A deploy that is there was started by this very request, in a process that died before it could record its answer.
    const deploy = (await deploys.find(deploy_id)) ?? (await startDeploy(deps, input, spec));
    return { status: 202, body: show(deploy), location: `/v1/deploys/${deploy_id}` };
  });

  route('deploy_list', async ({ params, query: { limit, cursor } }) => {
    const { name } = await known(services, params.name);
    const before = readCursor('deploy_list', cursor, z.uuid());
    const found = await deploys.list({ service: name, limit: limit + 1, ...(before === undefined ? {} : { before }) });
    return { status: 200, body: page('deploy_list', found, limit, ({ id }) => id, show) };
  });

  route('deploy_show', async ({ params: { id }, http }) => {
    const deploy = await deploys.find(id);
    if (deploy === null) throw new ApiProblem('not_found', `There is no deploy ${id}.`);
    if (http === null || !wantsEvents(http.request)) return { status: 200, body: show(deploy) };
    streams.start(http.response, deploy);
    return null;
  });
}

function wantsEvents(request: Request): boolean {
  const accepted = request.accepts(['application/json', 'text/event-stream']);
  return accepted === 'text/event-stream' && request.method !== 'HEAD';
}

/**
 * The run first, then its row: a request that is refused as busy leaves nothing behind, and one that dies in between is
 * found again by its run, or its row is written by the run itself.
 */
async function startDeploy(
  { start, deploys, runs }: DeployRouteDeps,
  input: DeployInput,
  spec: ServiceSpec,
): Promise<StoredDeploy> {
  const run = await start(input).catch((error: unknown): RunReference => {
    if (error instanceof RunInTheWay && error.record_id === input.deploy_id) return error.run;
    return busyWith(runs, 'service', input.service)(error);
  });
  await deploys.open(input, run, emptyResult(input.request, spec.deployment_context), spec);
  const deploy = await deploys.find(input.deploy_id);
  if (deploy === null) throw new Error(`deploy ${input.deploy_id} was opened and is not there`);
  return deploy;
}

export function showDeploy(runs: Runs): (deploy: StoredDeploy) => Deploy {
  return ({ requested_at, closed_at, evidence, overrides, ...deploy }) => ({
    ...deploy,
    run_url: deploy.run_id === null ? null : runs.urlOf({ workflow_id: deploy.workflow_id, run_id: deploy.run_id }),
    requested_at: requested_at.toISOString(),
    closed_at: closed_at?.toISOString() ?? null,
    overrides: overrides.map(showOverride),
    evidence: evidence.map(({ at, ...check }) => ({ ...check, at: at.toISOString() })),
  });
}
