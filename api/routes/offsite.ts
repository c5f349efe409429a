import { randomUUID } from 'node:crypto';
import type { BackupRunStore, StoredBackupRun } from '../../adapters/postgres/backup-runs.ts';
import type { OffsiteStore, StoredCopy, StoredTarget } from '../../adapters/postgres/offsite.ts';
import type { OffsiteRuns } from '../../adapters/temporal/offsite.ts';
import { RunInTheWay } from '../../adapters/temporal/start-alone.ts';
import type { TargetPlace } from '../../adapters/offsite/open-target.ts';
import type { OffsiteTarget } from '../../adapters/offsite/target.ts';
import { actions } from '../../domain/action.ts';
import type { TargetPut, TargetView } from '../../domain/offsite/schemas.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';
import { idOfRequest } from '../../domain/request-id.ts';
import { ApiProblem, unavailable } from '../problem.ts';
import type { Route } from '../route.ts';
import { busyWith, type Runs } from '../runs.ts';
import { showBackupRun } from './backup.ts';

export interface OffsiteRouteDeps {
  readonly offsite: OffsiteStore;
  readonly offsiteRuns: OffsiteRuns;
  readonly backupRuns: BackupRunStore;
  readonly runs: Runs;
  readonly openTarget: (place: TargetPlace, signal: AbortSignal) => Promise<OffsiteTarget>;
  /** Where points are kept. */
  readonly box: string;
}

/** How long somebody who names a target waits for it to answer. */
const lookMs = 30_000;

export function offsiteRoutes(route: Route, deps: OffsiteRouteDeps): void {
  const { offsite, offsiteRuns, backupRuns, runs, box } = deps;
  const view = async (name: string): Promise<TargetView> => show(offsite, await known(offsite, name));

  route('offsite_put', async ({ params: { name }, body, caller }) => {
    const before = await offsite.find(name);
    const id = await markedId(deps, body, before);
    // What nobody speaks of stays as it is: a target is not emptied by leaving a word out.
    const retention = body.retention ?? before?.retention ?? 'same';
    await offsite.put({ name, id, box, spec: body.spec, enabled: body.enabled, retention, actor: caller.actor });
    if (body.enabled) await offsiteRuns.push({ target: name, box });
    return { status: 200, body: await view(name) };
  });

  route('offsite_list', async () => {
    const items = await Promise.all((await offsite.list()).map((target) => show(offsite, target)));
    return { status: 200, body: { items, next_cursor: null } };
  });

  route('offsite_show', async ({ params: { name } }) => ({ status: 200, body: await view(name) }));

  route('offsite_remove', async ({ params: { name } }) => {
    await known(offsite, name);
    await offsite.remove(name);
    return { status: 204 };
  });

  route('backup_push', async ({ body: { target } }) => {
    const { box: at } = await known(offsite, target);
    await offsite.tryAgain(target);
    await offsiteRuns.push({ target, box: at });
    return { status: 202, body: await view(target) };
  });

  route('backup_pull', async ({ body, caller, key }) => {
    await known(offsite, body.target);
    const backup_id = key === null ? randomUUID() : idOfRequest(caller.id, key);
    const input = { backup_id, box, actor: caller.actor, trigger: 'operator' as const, request: body };
    if ((await backupRuns.find(backup_id)) === null) {
      const run = await offsiteRuns.pull(input).catch((error: unknown) => {
        if (error instanceof RunInTheWay && error.record_id === backup_id) return error.run;
        return busyWith(runs, 'backup', '')(error);
      });
      await backupRuns.open('pull', body.stamp ?? null, input, run);
    }
    const opened: StoredBackupRun | null = await backupRuns.find(backup_id);
    if (opened === null) throw new Error(`run ${backup_id} was opened and is not there`);
    return { status: 202, body: showBackupRun(runs)(opened), location: `/v1/backup_runs/${backup_id}` };
  });
}

/** The place is looked at before anything is kept of it: a typo is found now, not by the first backup that goes nowhere. */
async function markedId(
  { openTarget, offsite }: OffsiteRouteDeps,
  { spec, adopt }: TargetPut,
  before: StoredTarget | null,
): Promise<string> {
  const signal = AbortSignal.timeout(lookMs);
  const id = before?.id ?? randomUUID();
  const target = await openTarget({ spec, id: adopt ? null : id }, signal);
  try {
    const marker = await target.marker();
    if (marker === null && adopt)
      throw new ApiProblem('conflict', 'There is no target of Holdfast at that place to take over.');
    const isOther = adopt ? marker !== id : marker === null;
    // Another place than before, or the same one, emptied: what was read back then is not there.
    if (before !== null && isOther) await offsite.forgetCopies(before.name);
    if (marker !== null && adopt) return marker;
    await target.prepare();
    return id;
  } catch (error) {
    throw problemOf(error);
  } finally {
    await target.close();
  }
}

function problemOf(error: unknown): unknown {
  if (!(error instanceof OffsiteTrouble))
    return (error as Error).name === 'TimeoutError' ? unavailable('The place did not answer in time.') : error;
  return error.kind === 'away' ? unavailable(error.message) : new ApiProblem('conflict', error.message);
}

async function known(offsite: OffsiteStore, name: string): Promise<StoredTarget> {
  const found = await offsite.find(name);
  if (found !== null) return found;
  const next = `holdfast ${actions.offsite_list.command}`;
  throw new ApiProblem('not_found', `There is no off-host target ${name}.`, { next });
}

async function show(offsite: OffsiteStore, target: StoredTarget): Promise<TargetView> {
  const { name, id, box, spec, enabled, state, reason, since, looked_at, retention, retention_reason } = target;
  return {
    ...{ name, id, box, spec, enabled, state, reason, retention, retention_reason },
    ...{ since: since.toISOString(), looked_at: looked_at?.toISOString() ?? null },
    lag: { ...(await offsite.lag(target)), due: await offsite.due(name) },
    copies: (await offsite.copies(target.name)).map(showCopy),
  };
}

function showCopy({ begun_at, verified_at, ...copy }: StoredCopy) {
  return { ...copy, begun_at: begun_at.toISOString(), verified_at: verified_at?.toISOString() ?? null };
}
