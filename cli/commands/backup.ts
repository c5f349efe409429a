import type { Command } from 'commander';
import type { RecoveryPoint } from '../../domain/backup/point-schemas.ts';
import { pushAndPullCommands } from './offsite.ts';
import { duration, leaf, number, runs, waitOptions, waits, type Context } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';

interface Waiting {
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: number;
}

interface Started extends Waiting {
  readonly idempotencyKey?: string;
}

interface Listed {
  readonly after?: string;
  readonly limit: number;
}

const sameKey = ['--idempotency-key <key>', 'the same key is the same run, for ever'] as const;

export function backupCommands(program: Command): void {
  const backup = program.command('backup').description('recovery points: copied, proved by restoring them, published');
  waitOptions(leaf(backup, 'create', 'copies everything as of one moment, proves it in scratch, then publishes it'))
    .option('--no-vectors', 'without snapshots of Qdrant: a restore computes the points from Postgres')
    .option('--pin <reason>', 'keep it whatever retention says, and why')
    .option(...sameKey)
    .action(runs(createBackup));
  leaf(backup, 'list', 'newest first')
    .option('--place <place>', 'kept, trash, purged or missing', 'kept')
    .option('--after <cursor>', 'go on behind this page: its next_cursor')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .action(runs(listPoints));
  leaf(backup, 'show <stamp>', 'one recovery point: what it holds, and what was found of it').action(runs(showPoint));
  waitOptions(leaf(backup, 'validate <stamp>', 'looks at a recovery point again; what it finds is exit code 8'))
    .option('--level <level>', 'L0 its bytes, L1 its structure too, L2 restored into scratch too', 'L2')
    .option(...sameKey)
    .action(runs(validatePoint));
  waitOptions(leaf(backup, 'prune', 'takes away what retention does not keep: to the trash first, for a grace'))
    .option('--dry-run', 'say what would go, and why the others stay')
    .option(...sameKey)
    .action(runs(prunePoints));
  leaf(backup, 'pin <stamp>', 'keeps it, whatever retention says')
    .requiredOption('--reason <text>', 'why')
    .action(runs(pinPoint));
  leaf(backup, 'unpin <stamp>', 'lets retention decide on it again').action(runs(unpinPoint));
  pushAndPullCommands(backup);
  leaf(backup, 'key', 'the public key that this box signs points with, for another box to trust').action(runs(showKey));
  leaf(backup, 'trust', 'believes what another box has signed: its points can be restored here')
    .requiredOption('--file <pem>', 'its public key, as holdfast backup key prints it there; - for standard input')
    .action(runs(trustKey));
  leaf(backup, 'runs', 'runs of the pipeline, newest first')
    .option('--kind <kind>', 'create, validate or prune')
    .option('--stamp <stamp>', 'those about one recovery point')
    .option('--after <cursor>', 'go on behind this page: its next_cursor')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .action(runs(listRuns));
  leaf(backup, 'run <id>', 'one run with its evidence')
    .option('--follow', 'until it is closed')
    .option('--timeout <time>', 'with --follow: leave after 90s, 10m or 1h', duration)
    .action(runs(showRun));
}

function createBackup(context: Context, options: Started & { vectors: boolean; pin?: string }) {
  const pin = options.pin === undefined ? {} : { pin: options.pin };
  return start(context, '/admin/backup', { include_vectors: options.vectors, ...pin }, options);
}

function validatePoint(context: Context, stamp: string, options: Started & { level: string }) {
  return start(context, `${pathOf(stamp)}/validate`, { level: options.level }, options);
}

function prunePoints(context: Context, options: Started & { dryRun?: boolean }) {
  return start(context, '/v1/backups/prune', { dry_run: options.dryRun === true }, options);
}

async function start(context: Context, path: string, body: object, options: Started): Promise<ExitCode | undefined> {
  const { api, out } = context;
  const { backupRunSchema } = await import('../../domain/backup/schemas.ts');
  const { comeBackToRun, followBackup } = await import('../follow-backup.ts');
  const { CliError } = await import('../cli-error.ts');
  const { randomUUID } = await import('node:crypto');
  const key = options.idempotencyKey ?? randomUUID();
  const run = await api.post(path, body, backupRunSchema, key).catch((error: unknown) => {
    if (!(error instanceof CliError) || !error.lost) throw error;
    // It may have been started all the same; under its key it cannot start twice.
    const again = `${error.next ?? 'holdfast doctor'}; then the same command with --idempotency-key ${key}`;
    throw new CliError(error.message, error.exitCode, again);
  });
  if (waits(out.interactive, options)) return followBackup(context, run.id, options.timeout ?? null);
  out.data(run, [run.id]);
  out.message(`next: ${comeBackToRun(run.id)}`);
  return undefined;
}

async function listPoints({ api, out }: Context, { place, after, limit }: Listed & { place: string }) {
  const { pageOf } = await import('../../domain/answer.ts');
  const { recoveryPointSchema } = await import('../../domain/backup/point-schemas.ts');
  const { megabytes } = await import('../sizes.ts');
  const { table } = await import('../output.ts');
  const query = queryOf({ place, limit: String(limit), cursor: after });
  const page = await api.get(`/v1/backups?${query}`, pageOf(recoveryPointSchema, 'RecoveryPointPage'));
  const rows = page.items.map((point) => [
    ...[point.stamp, point.taken_at, standingOf(point), megabytes(point.stored_bytes)],
    ...[point.include_vectors ? 'yes' : 'no', point.pin?.reason ?? '-'],
  ]);
  const more = page.next_cursor === null ? [] : [`more: holdfast backup list --after ${page.next_cursor}`];
  out.data(page, [...table(['stamp', 'taken', 'proved', 'MB', 'vectors', 'pinned'], rows), ...more]);
  return undefined;
}

/** The deepest level that it passed, unless something was found since. */
function standingOf({ standing, damage, proved }: RecoveryPoint): string {
  if (standing === 'damaged') return `damaged at ${damage?.level ?? '?'}`;
  return Object.keys(proved).sort().at(-1) ?? '-';
}

async function showPoint({ api, out }: Context, stamp: string): Promise<ExitCode | undefined> {
  const { recoveryPointDetailSchema } = await import('../../domain/backup/point-schemas.ts');
  const { pointLines } = await import('../point-lines.ts');
  const point = await api.get(pathOf(stamp), recoveryPointDetailSchema);
  out.data(point, pointLines(point));
  if (point.standing === 'good') return undefined;
  const { exitCodes } = await import('../exit-codes.ts');
  out.message(`holdfast: ${stamp} is damaged: ${point.damage?.reason ?? 'nobody knows how'}`);
  out.message('next: holdfast backup list');
  return exitCodes.finding;
}

async function pinPoint({ api, out }: Context, stamp: string, { reason }: { reason: string }) {
  const { recoveryPointSchema } = await import('../../domain/backup/point-schemas.ts');
  const point = await api.put(`${pathOf(stamp)}/pin`, { reason }, recoveryPointSchema);
  out.data(point, [`${stamp} is pinned: ${point.pin?.reason ?? reason}`]);
  return undefined;
}

async function unpinPoint({ api, out }: Context, stamp: string) {
  await api.delete(`${pathOf(stamp)}/pin`);
  out.data({ stamp, pin: null }, [`${stamp} is not pinned`]);
  return undefined;
}

async function showKey({ api, out }: Context) {
  const { backupKeySchema } = await import('../../domain/backup/schemas.ts');
  const key = await api.get('/v1/backup_key', backupKeySchema);
  out.data(key, [key.public_key.trimEnd()]);
  return undefined;
}

async function trustKey({ api, out }: Context, { file }: { file: string }) {
  const { trustedKeySchema } = await import('../../domain/backup/schemas.ts');
  const { readText } = await import('../json-file.ts');
  const trusted = await api.post('/v1/backup_key/trusted', { public_key: await readText(file) }, trustedKeySchema);
  out.data(trusted, [`${trusted.key_id} is trusted`]);
  return undefined;
}

async function listRuns(
  { api, out }: Context,
  { kind, stamp, after, limit }: Listed & { kind?: string; stamp?: string },
) {
  const { pageOf } = await import('../../domain/answer.ts');
  const { backupRunSchema } = await import('../../domain/backup/schemas.ts');
  const { table } = await import('../output.ts');
  const query = queryOf({ kind, stamp, limit: String(limit), cursor: after });
  const page = await api.get(`/v1/backup_runs?${query}`, pageOf(backupRunSchema, 'BackupRunPage'));
  const rows = page.items.map((run) => [
    ...[run.id, run.kind, run.stamp ?? '-', run.requested_at, run.trigger],
    ...[run.result.outcome ?? run.phase, run.result.failure_reason ?? '-'],
  ]);
  const more = page.next_cursor === null ? [] : [`more: holdfast backup runs --after ${page.next_cursor}`];
  out.data(page, [...table(['run', 'kind', 'stamp', 'requested', 'trigger', 'state', 'reason'], rows), ...more]);
  return undefined;
}

async function showRun(context: Context, id: string, options: { follow?: boolean; timeout?: number }) {
  const { followBackup, linesOfRun } = await import('../follow-backup.ts');
  if (options.follow === true) return followBackup(context, id, options.timeout ?? null);
  const { backupRunSchema } = await import('../../domain/backup/schemas.ts');
  const run = await context.api.get(`/v1/backup_runs/${encodeURIComponent(id)}`, backupRunSchema);
  context.out.data(run, linesOfRun(run));
  return undefined;
}

function pathOf(stamp: string): string {
  return `/v1/backups/${encodeURIComponent(stamp)}`;
}

function queryOf(fields: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return new URLSearchParams(given).toString();
}
