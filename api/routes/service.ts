import type { EventStore } from '../../adapters/postgres/events.ts';
import type { ServiceStore, StoredRelease, StoredService } from '../../adapters/postgres/services.ts';
import type { DeployRuns } from '../../adapters/temporal/deploys.ts';
import { actions } from '../../domain/action.ts';
import { serviceName, type Release, type Service } from '../../domain/service.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import { busyWith, type Runs } from '../runs.ts';

export interface ServiceRouteDeps {
  readonly services: ServiceStore;
  readonly events: EventStore;
  readonly stop: DeployRuns['stop'];
  readonly tellWatch: DeployRuns['tellWatch'];
  readonly runs: Runs;
  /** The box of a service that names none. */
  readonly box: string;
}

export function serviceRoutes(route: Route, { services, events, stop, tellWatch, runs, box }: ServiceRouteDeps): void {
  route('service_register', async ({ params: { name }, body, caller }) => {
    const spec = { ...body, box: body.box ?? box };
    const { created } = await services.register(name, spec);
    const type = created ? 'service.registered' : 'service.changed';
    await events.append({ type, subject: `service/${name}`, actor: caller.actor });
    return { status: created ? 201 : 200, body: show(await known(services, name)), location: `/v1/services/${name}` };
  });

  route('service_list', async ({ query: { limit, cursor } }) => {
    const after = readCursor('service_list', cursor, serviceName);
    const found = await services.list({ limit: limit + 1, ...(after === undefined ? {} : { after }) });
    return { status: 200, body: page('service_list', found, limit, ({ name }) => name, show) };
  });

  route('service_show', async ({ params }) => ({ status: 200, body: show(await known(services, params.name)) }));

  route('service_stop', async ({ params, caller }) => {
    const { name, spec } = await known(services, params.name);
    const run = await stop({ service: name, box: spec.box, actor: caller.actor }).catch(
      busyWith(runs, 'service', name),
    );
    return { status: 202, body: { ...run, run_url: runs.urlOf(run) } };
  });

  route('safe_mode_clear', async ({ params, caller }) => {
    const { name } = await known(services, params.name);
    if (await services.clearSafeMode(name)) {
      await events.append({ type: 'safe_mode.cleared', subject: `service/${name}`, actor: caller.actor });
      await tellWatch(name);
    }
    return { status: 204 };
  });

  route('release_list', async ({ params }) => {
    const { name } = await known(services, params.name);
    const items = (await services.releases(name)).map(showRelease);
    return { status: 200, body: { items, next_cursor: null } };
  });
}

export async function known(services: ServiceStore, name: string): Promise<StoredService> {
  const service = await services.find(name);
  if (service !== null) return service;
  const next = `holdfast ${actions.service_register.command} ${name}`;
  throw new ApiProblem('not_found', `There is no service ${name}.`, { next });
}

/** The values of the environment are secrets more often than not: names only. */
function show({ name, spec, desired, safe_mode, created_at, updated_at }: StoredService): Service {
  const env = Object.keys(spec.run.env).sort();
  const { release_id, state, epoch } = desired;
  return {
    name,
    spec: { ...spec, run: { ...spec.run, env } },
    desired: { release_id, state, epoch },
    safe_mode,
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  };
}

function showRelease(release: StoredRelease): Release {
  const { built_at, promoted_at, committed_at, soaked_at, deployed_at, ...rest } = release;
  const text = (at: Date | null) => at?.toISOString() ?? null;
  return {
    ...rest,
    built_at: built_at.toISOString(),
    ...{ promoted_at: text(promoted_at), committed_at: text(committed_at) },
    ...{ soaked_at: text(soaked_at), deployed_at: text(deployed_at) },
  };
}
