import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { BackupRunStore, StoredBackupRun } from '../../adapters/postgres/backup-runs.ts';
import type { RecoveryPointStore, StoredPoint } from '../../adapters/postgres/recovery-points.ts';
import type { Caller } from '../../adapters/postgres/tokens.ts';
import type { BackupStarts } from '../../adapters/temporal/backups.ts';
import { RunInTheWay, type RunReference } from '../../adapters/temporal/start-alone.ts';
import { actions } from '../../domain/action.ts';
import type { BackupRunInput } from '../../domain/backup/run.ts';
import type { BackupRun } from '../../domain/backup/schemas.ts';
import { stampSchema } from '../../domain/backup/stamp.ts';
import type { BackupKind } from '../../domain/backup/words.ts';
import { idOfRequest } from '../../domain/request-id.ts';
import { page, readCursor } from '../page.ts';
import { ApiProblem } from '../problem.ts';
import type { Route } from '../route.ts';
import { busyWith, type Runs } from '../runs.ts';
import { wantsEvents, type Streams } from '../streams.ts';
import { showPoint, showPointDetail } from './recovery-point.ts';

export interface BackupRouteDeps {
  readonly backupRuns: BackupRunStore;
  readonly recoveryPoints: RecoveryPointStore;
  readonly backupStarts: BackupStarts;
  readonly backupStreams: Streams<StoredBackupRun>;
  readonly runs: Runs;
  /** Where points are kept. */
  readonly box: string;
}

export function backupRoutes(route: Route, deps: BackupRouteDeps): void {
  const { backupRuns, recoveryPoints, backupStarts, backupStreams } = deps;
  const show = showBackupRun(deps.runs);
  const started = (run: StoredBackupRun) => ({ status: 202, body: show(run), location: `/v1/backup_runs/${run.id}` });

  route('backup_create', async ({ body, caller, key }) => {
    const input = { ...askedBy(deps, caller, key), request: body };
    return started(await open(deps, 'create', null, input, () => backupStarts.backup(input)));
  });

  route('backup_prune', async ({ body, caller, key }) => {
    const input = { ...askedBy(deps, caller, key), request: body };
    return started(await open(deps, 'prune', null, input, () => backupStarts.prune(input)));
  });

  route('backup_validate', async ({ params: { stamp }, body, caller, key }) => {
    const { box } = await kept(recoveryPoints, stamp);
    const input = { ...askedBy(deps, caller, key), box, stamp, request: body };
    return started(await open(deps, 'validate', stamp, input, () => backupStarts.validate(input)));
  });

  route('backup_list', async ({ query: { limit, cursor, place } }) => {
    const before = readCursor('backup_list', cursor, stampSchema);
    const found = await recoveryPoints.list({ places: [place], before, limit: limit + 1 });
    return { status: 200, body: page('backup_list', found, limit, ({ stamp }) => stamp, showPoint) };
  });

  route('backup_show', async ({ params: { stamp } }) => {
    return { status: 200, body: showPointDetail(await known(recoveryPoints, stamp)) };
  });

  route('backup_pin', async ({ params: { stamp }, body: { reason }, caller }) => {
    await kept(recoveryPoints, stamp);
    await recoveryPoints.pin(stamp, reason, caller.actor);
    return { status: 200, body: showPoint(await known(recoveryPoints, stamp)) };
  });

  route('backup_unpin', async ({ params: { stamp } }) => {
    await known(recoveryPoints, stamp);
    await recoveryPoints.unpin(stamp);
    return { status: 204 };
  });

  route('backup_run_list', async ({ query: { limit, cursor, kind, stamp } }) => {
    const before = readCursor('backup_run_list', cursor, z.uuid());
    const found = await backupRuns.list({ kind, stamp, before, limit: limit + 1 });
    return { status: 200, body: page('backup_run_list', found, limit, ({ id }) => id, show) };
  });

  route('backup_run_show', async ({ params: { id }, http }) => {
    const run = await backupRuns.find(id);
    if (run === null) throw unknown(`There is no run ${id}.`, actions.backup_run_list.command);
    if (http === null || !wantsEvents(http.request)) return { status: 200, body: show(run) };
    backupStreams.start(http.response, run);
    return null;
  });
}

function askedBy({ box }: BackupRouteDeps, { id, actor }: Caller, key: string | null) {
  const backup_id = key === null ? randomUUID() : idOfRequest(id, key);
  return { backup_id, box, actor, trigger: 'operator' as const };
}

/** The run first, then its row, as with waves. */
async function open(
  { backupRuns, runs }: BackupRouteDeps,
  kind: BackupKind,
  stamp: string | null,
  input: BackupRunInput<object>,
  start: () => Promise<RunReference>,
): Promise<StoredBackupRun> {
  const { backup_id } = input;
  const before = await backupRuns.find(backup_id);
  if (before !== null) return before;
  const run = await start().catch((error: unknown) => {
    if (error instanceof RunInTheWay && error.record_id === backup_id) return error.run;
    return busyWith(runs, 'backup', '')(error);
  });
  await backupRuns.open(kind, stamp, input, run);
  const opened = await backupRuns.find(backup_id);
  if (opened === null) throw new Error(`run ${backup_id} was opened and is not there`);
  return opened;
}

async function known(points: RecoveryPointStore, stamp: string): Promise<StoredPoint> {
  const found = await points.find(stamp);
  if (found !== null) return found;
  throw unknown(`There is no recovery point ${stamp}.`, actions.backup_list.command);
}

async function kept(points: RecoveryPointStore, stamp: string): Promise<StoredPoint> {
  const found = await known(points, stamp);
  if (found.place === 'kept') return found;
  const next = `holdfast ${actions.backup_list.command}`;
  throw new ApiProblem('conflict', `Recovery point ${stamp} is not there any more: ${found.place}.`, { next });
}

function unknown(detail: string, command: string): ApiProblem {
  return new ApiProblem('not_found', detail, { next: `holdfast ${command}` });
}

export function showBackupRun(runs: Runs): (run: StoredBackupRun) => BackupRun {
  return ({ requested_at, closed_at, evidence, ...run }) => ({
    ...run,
    run_url: run.run_id === null ? null : runs.urlOf({ workflow_id: run.workflow_id, run_id: run.run_id }),
    requested_at: requested_at.toISOString(),
    closed_at: closed_at?.toISOString() ?? null,
    evidence: evidence.map(({ at, ...check }) => ({ ...check, at: at.toISOString() })),
  });
}
