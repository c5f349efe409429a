import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { z } from 'zod';
import type { ProjectStore } from '../../adapters/postgres/projects.ts';
import type { WaveItemStore } from '../../adapters/postgres/wave-items.ts';
import type { Caller } from '../../adapters/postgres/tokens.ts';
import type { StoredWave, WaveStore } from '../../adapters/postgres/waves.ts';
import { RunInTheWay, type RunReference } from '../../adapters/temporal/start-alone.ts';
import type { WaveRuns } from '../../adapters/temporal/waves.ts';
import { idOfRequest } from '../../domain/request-id.ts';
import { plainRefresh, type WaveInput } from '../../domain/wave/run.ts';
import type { Wave } from '../../domain/wave/schemas.ts';
import { waveCommands } from '../../domain/wave/words.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import { busyWith, type Runs } from '../runs.ts';
import { wantsEvents, type Streams } from '../streams.ts';
import { knownProject } from './project.ts';

export interface WaveRouteDeps {
  readonly projects: ProjectStore;
  readonly waves: WaveStore;
  readonly items: WaveItemStore;
  readonly waveRuns: WaveRuns;
  readonly runs: Runs;
  readonly waveStreams: Streams<ShownWave>;
}

/** A wave with how far it is, which only its items tell. */
export type ShownWave = StoredWave & { readonly progress: Wave['progress'] };

type Starter = (input: WaveInput) => Promise<RunReference>;

export function waveRoutes(route: Route, deps: WaveRouteDeps): void {
  const { projects, waves, items, waveRuns, runs, waveStreams } = deps;
  const show = showWave(runs);

  route('wave_start', async ({ params, body, caller, key }) => {
    const { project } = await knownProject(projects, params.id);
    const wave_id = key === null ? randomUUID() : idOfRequest(caller.id, key);
    const input = { wave_id, project, ...askedBy(caller), request: body };
    const wave = (await waves.find(wave_id)) ?? (await opened(deps, input, startedBy(deps)));
    return { status: 202, body: show({ ...wave, progress: null }), location: `/v1/waves/${wave_id}` };
  });

  route('project_refresh', async ({ params, body, caller, key }) => {
    const { project } = await knownProject(projects, params.id);
    const wave_id = key === null ? randomUUID() : idOfRequest(caller.id, key);
    const before = await waves.find(wave_id);
    const input = { wave_id, project, ...askedBy(caller), request: { ...plainRefresh, ...body } };
    const run =
      before?.run_id == null
        ? await waveRuns.refresh(input).catch(busyWith(runs, 'project', project))
        : { workflow_id: before.workflow_id, run_id: before.run_id };
    return { status: 202, body: { ...run, run_url: runs.urlOf(run) } };
  });

  route('wave_list', async ({ params, query: { limit, cursor } }) => {
    const { project } = await knownProject(projects, params.id);
    const before = readCursor('wave_list', cursor, z.uuid());
    const found = await waves.list({ project, limit: limit + 1, ...(before === undefined ? {} : { before }) });
    const shown = found.map((wave) => ({ ...wave, progress: null }));
    return { status: 200, body: page('wave_list', shown, limit, ({ id }) => id, show) };
  });

  route('wave_show', async ({ params: { id }, http }) => {
    const wave = await withProgress(deps, id);
    if (wave === null) throw unknownWave(id);
    if (http === null || !wantsEvents(http.request)) return { status: 200, body: show(wave) };
    waveStreams.start(http.response, wave);
    return null;
  });

  route('wave_items', async ({ params: { id }, query: { limit, cursor } }) => {
    if ((await waves.find(id)) === null) throw unknownWave(id);
    const after = readCursor('wave_items', cursor, z.number().int()) ?? -1;
    const found = await items.troubled(id, { after, limit: limit + 1 });
    const body = page(
      'wave_items',
      found,
      limit,
      ({ seq }) => seq,
      ({ source, path, change, state, reason }) => ({ source, path, change, state, reason }),
    );
    return { status: 200, body };
  });

  for (const command of waveCommands) {
    route(`wave_${command}`, async ({ params: { id }, body, caller }) => {
      const wave = await waves.find(id);
      if (wave === null) throw unknownWave(id);
      if (wave.closed_at !== null) throw refused(id, `it is ${wave.result.outcome ?? 'closed'}`);
      const said = { wave_id: id, command, actor: caller.actor };
      const message = body.reason === undefined ? said : { ...said, reason: body.reason };
      await waveRuns.command(wave.project, message).catch(refusedBy(id));
      const now = await withProgress(deps, id);
      return { status: 200, body: show(now ?? { ...wave, progress: null }) };
    });
  }
}

function askedBy({ actor, role }: Caller): Pick<WaveInput, 'actor' | 'trigger'> {
  return { actor, trigger: role === 'agent' ? 'agent' : 'operator' };
}

function startedBy({ waveRuns, runs }: WaveRouteDeps): Starter {
  return (input) =>
    waveRuns.start(input).catch((error: unknown) => {
      if (error instanceof RunInTheWay && error.record_id === input.wave_id) return error.run;
      return busyWith(runs, 'project', input.project)(error);
    });
}

/** The run first, then its row, as with deploys. */
async function opened({ waves }: WaveRouteDeps, input: WaveInput, start: Starter): Promise<StoredWave> {
  await waves.open(input, await start(input));
  const wave = await waves.find(input.wave_id);
  if (wave === null) throw new Error(`wave ${input.wave_id} was opened and is not there`);
  return wave;
}

export async function withProgress(
  { waves, items }: Pick<WaveRouteDeps, 'waves' | 'items'>,
  id: string,
): Promise<ShownWave | null> {
  const wave = await waves.find(id);
  if (wave === null) return null;
  if (wave.plan === null) return { ...wave, progress: null };
  const { items: all, done, quarantined, failed, chunks } = await items.tally(id);
  return { ...wave, progress: { items: all, done, quarantined, failed, chunks } };
}

export function showWave(runs: Runs): (wave: ShownWave) => Wave {
  return ({ requested_at, closed_at, evidence, ...wave }) => ({
    ...wave,
    run_url: wave.run_id === null ? null : runs.urlOf({ workflow_id: wave.workflow_id, run_id: wave.run_id }),
    requested_at: requested_at.toISOString(),
    closed_at: closed_at?.toISOString() ?? null,
    evidence: evidence.map(({ at, ...check }) => ({ ...check, at: at.toISOString() })),
  });
}

function unknownWave(id: string): ApiProblem {
  return new ApiProblem('not_found', `There is no wave ${id}.`);
}

function refused(id: string, why: string): ApiProblem {
  return new ApiProblem('conflict', `Wave ${id} does not take that: ${why}.`, { next: `holdfast wave show ${id}` });
}

function refusedBy(id: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof WorkflowUpdateFailedError) throw refused(id, error.cause?.message ?? error.message);
    if (error instanceof WorkflowNotFoundError) throw refused(id, 'it is over');
    throw error;
  };
}
