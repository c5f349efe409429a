import { Option, type Command } from 'commander';
import type { TargetView } from '../../domain/offsite/schemas.ts';
import { leaf, runs, waitOptions, waits, type Context } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';

interface Waiting {
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: number;
}

interface Pulled extends Waiting {
  readonly idempotencyKey?: string;
}

/** Row B5. `backup`: what push and pull hang below. */
export function offsiteCommands(program: Command): void {
  const offsite = program.command('offsite').description('other places for recovery points');
  leaf(offsite, 'put <name>', 'names a place; it is looked at and marked first')
    .requiredOption(
      '--file <path>',
      'what it is, as JSON: kind (directory, sftp, rsync, s3) and how it is spoken to; - is stdin',
    )
    .option('--adopt', 'it is a target of Holdfast already, of a box that is lost: take it over')
    .option('--disabled', 'push nothing there for now')
    .addOption(
      new Option(
        '--retention <mode>',
        'same: what this box has purged goes there too, by the same policy; none: nothing ever goes; default: as it was, of a new one same',
      ).choices(['same', 'none']),
    )
    .action(runs(putTarget));
  leaf(offsite, 'list', 'all of them, and how far each is behind').action(runs(listTargets));
  leaf(offsite, 'show <name>', 'one of them, with its newest copies').action(runs(showTarget));
  leaf(offsite, 'remove <name>', 'pushes nothing there any more; what lies there stays').action(runs(removeTarget));
}

export function pushAndPullCommands(backup: Command): void {
  waitOptions(leaf(backup, 'push <target>', 'tries an off-host target now')).action(runs(pushNow));
  waitOptions(leaf(backup, 'pull <target> [stamp]', 'fetches a point from an off-host target; default: its newest'))
    .option('--idempotency-key <key>', 'the same key is the same run, for ever')
    .action(runs(pull));
}

async function putTarget(
  { api, out }: Context,
  name: string,
  { file, adopt, disabled, retention }: { file: string; adopt?: boolean; disabled?: boolean; retention?: string },
) {
  const { readJson } = await import('../json-file.ts');
  const { targetSchema } = await import('../../domain/offsite/schemas.ts');
  const kept = retention === undefined ? {} : { retention };
  const body = { spec: await readJson(file), enabled: disabled !== true, adopt: adopt === true, ...kept };
  const target = await api.put(pathOf(name), body, targetSchema);
  out.data(target, linesOf(target));
  return undefined;
}

async function listTargets({ api, out }: Context): Promise<ExitCode | undefined> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { targetSchema } = await import('../../domain/offsite/schemas.ts');
  const { table } = await import('../output.ts');
  const page = await api.get('/v1/offsite', pageOf(targetSchema, 'OffsiteTargetPage'));
  const rows = page.items.map(({ name, spec, state, lag }) => [
    ...[name, spec.kind, state, lag.newest_verified ?? '-'],
    ...[String(lag.waiting), lag.lag_seconds === 0 ? '-' : hours(lag.lag_seconds)],
  ]);
  out.data(page, table(['target', 'kind', 'state', 'newest there', 'waiting', 'behind'], rows));
  return undefined;
}

async function showTarget({ api, out }: Context, name: string): Promise<ExitCode | undefined> {
  const { targetSchema } = await import('../../domain/offsite/schemas.ts');
  const target = await api.get(pathOf(name), targetSchema);
  out.data(target, linesOf(target));
  return undefined;
}

async function removeTarget({ api, out }: Context, name: string): Promise<ExitCode | undefined> {
  await api.delete(pathOf(name));
  out.data({ name }, [`${name} is no target any more; what lies there stays`]);
  return undefined;
}

async function pushNow(context: Context, target: string, options: Waiting): Promise<ExitCode | undefined> {
  const { api, out } = context;
  const { targetSchema } = await import('../../domain/offsite/schemas.ts');
  const { followPush } = await import('../follow-push.ts');
  const pushed = await api.post('/v1/backups/push', { target }, targetSchema);
  if (waits(out.interactive, options)) return followPush(context, target, options.timeout ?? null);
  out.data(pushed, linesOf(pushed));
  out.message(`next: holdfast offsite show ${target}`);
  return undefined;
}

async function pull(context: Context, target: string, stamp: string | undefined, options: Pulled) {
  const { api, out } = context;
  const { backupRunSchema } = await import('../../domain/backup/schemas.ts');
  const { comeBackToRun, followBackup } = await import('../follow-backup.ts');
  const { randomUUID } = await import('node:crypto');
  const body = { target, ...(stamp === undefined ? {} : { stamp }) };
  const run = await api.post('/v1/backups/pull', body, backupRunSchema, options.idempotencyKey ?? randomUUID());
  if (waits(out.interactive, options)) return followBackup(context, run.id, options.timeout ?? null);
  out.data(run, [run.id]);
  out.message(`next: ${comeBackToRun(run.id)}`);
  return undefined;
}

function linesOf(target: TargetView): string[] {
  const { name, spec, enabled, state, since, reason, lag, copies, retention, retention_reason: obstacle } = target;
  return [
    `${name}: ${spec.kind}${enabled ? '' : ', disabled'}`,
    `  state     ${state} since ${since}${reason === null ? '' : `: ${reason}`}`,
    `  behind    ${lag.waiting} points wait${lag.lag_seconds === 0 ? '' : `, the oldest for ${hours(lag.lag_seconds)}`}`,
    `  retention ${retention}${obstacle === null ? '' : `, and nothing goes: ${obstacle}`}`,
    ...copies.map(
      ({ stamp, state: of, reason: why }) =>
        `  ${of === 'verified' ? '✓' : '·'} ${stamp}  ${of}${why === null ? '' : `: ${why}`}`,
    ),
  ];
}

function hours(seconds: number): string {
  return seconds < 7_200 ? `${Math.ceil(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

function pathOf(name: string): string {
  return `/v1/offsite/${encodeURIComponent(name)}`;
}
