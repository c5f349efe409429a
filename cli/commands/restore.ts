import type { Command } from 'commander';
import type { Restore } from '../../domain/restore/schemas.ts';
import type { RestoreCommand } from '../../domain/restore/words.ts';
import { duration, leaf, number, runs, several, waitOptions, waits, type Context } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';

interface RestoreOptions {
  readonly confirmServiceStopped?: boolean;
  readonly preSnapshot: boolean;
  readonly vectors: boolean;
  readonly files?: string[];
  readonly hold?: number;
  readonly confirm?: string;
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: number;
  readonly idempotencyKey?: string;
}

/** Behind `holdfast backup`, whose point it is, and `holdfast restore`, for what runs or is held. */
export function restoreCommands(program: Command): void {
  const backup = program.commands.find((command) => command.name() === 'backup') ?? program.command('backup');
  waitOptions(leaf(backup, 'restore <stamp>', 'restores a recovery point beside what is live, compares it, and swaps'))
    .option('--confirm-service-stopped', 'the services whose files are replaced are stopped; it is checked')
    .option('--no-pre-snapshot', 'without a recovery point of what is live now')
    .option('--vectors', 'recover the snapshots of Qdrant; the default', true)
    .option('--no-vectors', 'compute the points from the restored Postgres instead')
    .option('--files <set>', 'only these file sets; may be repeated; default: all of the point', several)
    .option(
      '--hold <time>',
      'keep the old side for 90s, 10m or 1h, in which it can be put back; default: 24h',
      duration,
    )
    .option('--confirm <last4>', 'the last four characters of the stamp, where nobody can be asked')
    .option('--idempotency-key <key>', 'the same key is the same restore, for ever')
    .action(runs(startRestore));
  const restore = program.command('restore').description('restores: what runs, what is held, and the way back');
  leaf(restore, 'list', 'newest first')
    .option('--after <cursor>', 'go on behind this page: its next_cursor')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .action(runs(listRestores));
  leaf(restore, 'show [id]', 'one restore with its evidence; default: the newest')
    .option('--follow', 'until it is held; one that is held, until it is closed')
    .option('--timeout <time>', 'with --follow: leave after 90s, 10m or 1h', duration)
    .action(runs(showRestore));
  waitOptions(leaf(restore, 'undo [id]', 'puts the old side back, while it is held')).action(runs(telling('undo')));
  waitOptions(leaf(restore, 'release [id]', 'lets the old side go: it is deleted')).action(runs(telling('release')));
  waitOptions(leaf(restore, 'cancel [id]', 'stops it before anything is swapped')).action(runs(telling('cancel')));
}

async function startRestore(context: Context, stamp: string, options: RestoreOptions): Promise<ExitCode | undefined> {
  const { out } = context;
  const { confirmName } = await import('../confirm.ts');
  const { withStack } = await import('../own-stack.ts');
  const { restoreSchema } = await import('../../domain/restore/schemas.ts');
  const { followRestore } = await import('../follow-restore.ts');
  const { randomUUID } = await import('node:crypto');
  await confirmName(out, stamp.slice(-4), options.confirm, `Restoring ${stamp} replaces what is live`);
  const body = {
    confirm_service_stopped: options.confirmServiceStopped === true,
    ...{ pre_snapshot: options.preSnapshot, vectors: options.vectors, files: options.files ?? null },
    ...(options.hold === undefined ? {} : { hold_ms: options.hold }),
  };
  const path = `/v1/backups/${encodeURIComponent(stamp)}/restore`;
  const start = async (at: Context, alone: boolean): Promise<ExitCode | undefined> => {
    const restore = await at.api.post(path, body, restoreSchema, options.idempotencyKey ?? randomUUID());
    // Nobody would carry it out behind a command that started everything for itself.
    if (alone || waits(out.interactive, options))
      return followRestore(at, restore.id, options.timeout ?? null, { alone });
    out.data(restore, [restore.id]);
    out.message(`next: holdfast restore show ${restore.id} --follow`);
    return undefined;
  };
  const { prepareOwnRestore } = await import('../../infra/stack/own-restore.ts');
  return withStack(context, start, (at) => prepareOwnRestore(at, stamp));
}

async function listRestores({ api, out }: Context, { after, limit }: { after?: string; limit: number }) {
  const { pageOf } = await import('../../domain/answer.ts');
  const { restoreSchema } = await import('../../domain/restore/schemas.ts');
  const { table } = await import('../output.ts');
  const query = new URLSearchParams({ limit: String(limit), ...(after === undefined ? {} : { cursor: after }) });
  const page = await api.get(`/v1/restores?${query.toString()}`, pageOf(restoreSchema, 'RestorePage'));
  const rows = page.items.map(({ id, stamp, requested_at, phase, result }) => [
    ...[id, stamp, requested_at, result.outcome ?? phase, result.failure_reason ?? '-'],
  ]);
  const more = page.next_cursor === null ? [] : [`more: holdfast restore list --after ${page.next_cursor}`];
  out.data(page, [...table(['restore', 'stamp', 'requested', 'state', 'reason'], rows), ...more]);
  return undefined;
}

async function showRestore(
  context: Context,
  id: string | undefined,
  options: { follow?: boolean; timeout?: number },
): Promise<ExitCode | undefined> {
  const { followRestore, linesOfRestore } = await import('../follow-restore.ts');
  const restore = await find(context, id);
  // One that is held already is followed to its end.
  const following = restore.phase === 'held' ? { until: () => false } : {};
  if (options.follow === true) return followRestore(context, restore.id, options.timeout ?? null, following);
  context.out.data(restore, linesOfRestore(restore));
  return undefined;
}

function telling(command: RestoreCommand) {
  return async (context: Context, id: string | undefined, options: RestoreOptions): Promise<ExitCode | undefined> => {
    const { restoreSchema } = await import('../../domain/restore/schemas.ts');
    const { followRestore } = await import('../follow-restore.ts');
    const { randomUUID } = await import('node:crypto');
    const { withStack } = await import('../own-stack.ts');
    return withStack(context, async (at, alone) => {
      const { id: found } = await find(at, id);
      const told = await at.api.post(`/v1/restores/${found}/${command}`, {}, restoreSchema, randomUUID());
      // An undo that has to wait for a service is held once more: then it has been somewhere else in between.
      const seen = { left: false, again: null as Restore | null };
      const until = (restore: Restore): boolean => {
        seen.left ||= restore.phase !== 'held';
        if (seen.left && restore.phase === 'held') seen.again = restore;
        return seen.again !== null;
      };
      if (alone || waits(at.out.interactive, options)) {
        const exitCode = await followRestore(at, found, options.timeout ?? null, { until, alone });
        return seen.again === null ? exitCode : notDone(at, command, seen.again);
      }
      at.out.data(told, [`${command}: told`]);
      at.out.message(`next: holdfast restore show ${found} --follow`);
      return undefined;
    });
  };
}

/** Nothing was changed: the restore says why, and waits for the same command again. */
function notDone({ out }: Context, command: RestoreCommand, { evidence }: Restore): ExitCode {
  const why = evidence.findLast(({ phase, ok }) => phase === command && !ok)?.reason;
  out.message(`holdfast: ${command}: not done${why === undefined ? '' : ` (${why})`}`);
  out.message(`next: stop what it names, then holdfast restore ${command}`);
  return exitCodes.refused;
}

/** The newest, which is the only one that can run or be held. */
async function find({ api }: Context, id: string | undefined) {
  const { restoreSchema } = await import('../../domain/restore/schemas.ts');
  if (id !== undefined) return api.get(`/v1/restores/${encodeURIComponent(id)}`, restoreSchema);
  const { pageOf } = await import('../../domain/answer.ts');
  const { CliError } = await import('../cli-error.ts');
  const [newest] = (await api.get('/v1/restores?limit=1', pageOf(restoreSchema, 'RestorePage'))).items;
  if (newest !== undefined) return api.get(`/v1/restores/${newest.id}`, restoreSchema);
  throw new CliError('Nothing was ever restored here', exitCodes.notFound, 'holdfast backup list');
}
