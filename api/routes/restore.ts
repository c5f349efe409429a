import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { RecoveryPointStore } from '../../adapters/postgres/recovery-points.ts';
import type { RestoreStore, StoredRestore } from '../../adapters/postgres/restores.ts';
import type { RestoreStarts } from '../../adapters/temporal/restores.ts';
import { RunInTheWay } from '../../adapters/temporal/start-alone.ts';
import { actions } from '../../domain/action.ts';
import { idOfRequest } from '../../domain/request-id.ts';
import type { RestoreInput } from '../../domain/restore/run.ts';
import type { Restore } from '../../domain/restore/schemas.ts';
import { restoreCommands } from '../../domain/restore/words.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import { busyWith, type Runs } from '../runs.ts';
import { wantsEvents, type Streams } from '../streams.ts';

export interface RestoreRouteDeps {
  readonly restores: RestoreStore;
  readonly recoveryPoints: Pick<RecoveryPointStore, 'find'>;
  readonly restoreStarts: RestoreStarts;
  readonly restoreStreams: Streams<StoredRestore>;
  readonly runs: Runs;
}

export function restoreRoutes(route: Route, deps: RestoreRouteDeps): void {
  const { restores, recoveryPoints, restoreStarts, restoreStreams } = deps;
  const show = showRestore(deps.runs);

  route('restore_start', async ({ params: { stamp }, body, caller, key }) => {
    const point = await recoveryPoints.find(stamp);
    if (point?.place !== 'kept') throw unknown(`There is no recovery point ${stamp}.`, actions.backup_list.command);
    const restore_id = key === null ? randomUUID() : idOfRequest(caller.id, key);
    const { box } = point;
    const input = { restore_id, stamp, box, actor: caller.actor, trigger: 'operator' as const, request: body };
    const restore = (await restores.find(restore_id)) ?? (await opened(deps, input));
    return { status: 202, body: show(restore), location: `/v1/restores/${restore_id}` };
  });

  route('restore_list', async ({ query: { limit, cursor } }) => {
    const before = readCursor('restore_list', cursor, z.uuid());
    const found = await restores.list({ before, limit: limit + 1 });
    return { status: 200, body: page('restore_list', found, limit, ({ id }) => id, show) };
  });

  route('restore_show', async ({ params: { id }, http }) => {
    const restore = await known(restores, id);
    if (http === null || !wantsEvents(http.request)) return { status: 200, body: show(restore) };
    restoreStreams.start(http.response, restore);
    return null;
  });

  for (const command of restoreCommands) {
    route(`restore_${command}`, async ({ params: { id }, caller }) => {
      const restore = await known(restores, id);
      if (restore.closed_at !== null) throw refused(id, `it is ${restore.result.outcome ?? 'closed'}`);
      await restoreStarts.command({ restore_id: id, command, actor: caller.actor }).catch(refusedBy(id));
      return { status: 202, body: show(await known(restores, id)), location: `/v1/restores/${id}` };
    });
  }
}

/** The run first, then its row, as with backups. */
async function opened(
  { restores, restoreStarts, runs }: RestoreRouteDeps,
  input: RestoreInput,
): Promise<StoredRestore> {
  const run = await restoreStarts.start(input).catch((error: unknown) => {
    if (error instanceof RunInTheWay && error.record_id === input.restore_id) return error.run;
    return busyWith(runs, 'restore', '')(error);
  });
  await restores.open(input, run);
  return known(restores, input.restore_id);
}

async function known(restores: RestoreStore, id: string): Promise<StoredRestore> {
  const found = await restores.find(id);
  if (found !== null) return found;
  throw unknown(`There is no restore ${id}.`, actions.restore_list.command);
}

export function showRestore(runs: Runs): (restore: StoredRestore) => Restore {
  return ({ requested_at, closed_at, evidence, ...restore }) => ({
    ...restore,
    run_url: restore.run_id === null ? null : runs.urlOf({ workflow_id: restore.workflow_id, run_id: restore.run_id }),
    requested_at: requested_at.toISOString(),
    closed_at: closed_at?.toISOString() ?? null,
    evidence: evidence.map(({ at, ...check }) => ({ ...check, at: at.toISOString() })),
  });
}

function unknown(detail: string, command: string): ApiProblem {
  return new ApiProblem('not_found', detail, { next: `holdfast ${command}` });
}

function refused(id: string, why: string): ApiProblem {
  const next = `holdfast ${actions.restore_show.command} ${id}`;
  return new ApiProblem('conflict', `Restore ${id} does not take that: ${why}.`, { next });
}

function refusedBy(id: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof WorkflowUpdateFailedError) throw refused(id, error.cause?.message ?? error.message);
    if (error instanceof WorkflowNotFoundError) throw refused(id, 'it is over');
    throw error;
  };
}
