import type { Command } from 'commander';
import { duration, leaf, number, runs, waitOptions, waits, type Context } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';

interface StartOptions {
  readonly name?: string;
  readonly kind?: string;
  readonly source?: readonly string[];
  readonly dryRun?: boolean;
  readonly requireApproval?: boolean;
  readonly retryQuarantined?: boolean;
  readonly reembed?: boolean;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: number;
}

const said: readonly (readonly [command: string, what: string])[] = [
  ['approve', 'approve the plan of a wave that waits for it'],
  ['pause', 'begin nothing new until it is resumed'],
  ['resume', 'go on after a pause'],
  ['cancel', 'give a wave up: nothing of it is seen, and what it wrote is swept'],
  ['retry', 'try what failed again, and only that'],
  ['complete', 'declare a wave complete without what failed'],
];

export function waveCommands(program: Command): void {
  const wave = program.command('wave').description('waves of documents into a project: plan, write, prove, commit');
  waitOptions(leaf(wave, 'start <project>', 'seen all at once when it is proved, or not at all'))
    .option('--name <name>', 'what it is called', 'refresh')
    .option(
      '--kind <kind>',
      'corpus, or trusted_operational: the items that the project lists under the name',
      'corpus',
    )
    .option('--source <name...>', 'only these sources; default: all of the project')
    .option('--dry-run', 'plan only: list, compare, count and price')
    .option('--require-approval', 'wait for an approval of the plan')
    .option('--retry-quarantined', 'try again what is quarantined, though it has not changed')
    .option('--reembed', 'everything again, with the embedder of this box, beside what is visible')
    .option('--idempotency-key <key>', 'the same key is the same wave, for ever')
    .action(runs(startWave));
  leaf(wave, 'list <project>', 'newest first')
    .option('--after <cursor>', 'go on behind this page: its next_cursor')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .action(runs(listWaves));
  leaf(wave, 'show <id>', 'one wave with its plan, progress and evidence')
    .option('--follow', 'until it is closed')
    .option('--timeout <time>', 'with --follow: leave after 90s, 10m or 1h', duration)
    .action(runs(showWave));
  leaf(wave, 'items <id>', 'documents that failed or are quarantined, with their reasons')
    .option('--after <cursor>', 'go on behind this page: its next_cursor')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .action(runs(listItems));
  for (const [command, what] of said) {
    leaf(wave, `${command} <id>`, what)
      .option('--reason <text>', 'why, for the record')
      .action(runs((context, id: string, options: { reason?: string }) => say(context, command, id, options)));
  }
  leaf(wave, 'rollback <project>', 'put the last wave back at once, and hold the project')
    .requiredOption('--reason <text>', 'why')
    .option('--number <n>', 'the generation that is meant to be undone', number(1, Number.MAX_SAFE_INTEGER))
    .option('--confirm <project>', 'in scripts: the name again')
    .action(runs(rollBack));
  leaf(wave, 'release <project>', 'let waves of a project that was rolled back write again').action(runs(release));
}

async function startWave(context: Context, project: string, options: StartOptions): Promise<ExitCode | undefined> {
  const { api, out } = context;
  const { waveRequestSchema, waveSchema } = await import('../../domain/wave/schemas.ts');
  const { comeBackToWave, followWave } = await import('../follow-wave.ts');
  const { CliError, usageError } = await import('../cli-error.ts');
  const request = waveRequestSchema.safeParse({
    ...{ name: options.name, kind: options.kind, sources: options.source, dry_run: options.dryRun },
    ...{ require_approval: options.requireApproval, retry_quarantined: options.retryQuarantined },
    reembed: options.reembed,
  });
  if (!request.success)
    throw usageError(request.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; '));
  const { randomUUID } = await import('node:crypto');
  const key = options.idempotencyKey ?? randomUUID();
  const wave = await api.post(`${pathOf(project)}/waves`, request.data, waveSchema, key).catch((error: unknown) => {
    if (!(error instanceof CliError) || !error.lost) throw error;
    // It may have been started all the same; under its key it cannot start twice.
    const again = `${error.next ?? 'holdfast doctor'}; then the same command with --idempotency-key ${key}`;
    throw new CliError(error.message, error.exitCode, again);
  });
  if (waits(out.interactive, options)) return followWave(context, wave.id, options.timeout ?? null);
  out.data(wave, [wave.id]);
  out.message(`next: ${comeBackToWave(wave.id)}`);
  return undefined;
}

async function listWaves(
  { api, out }: Context,
  project: string,
  { after, limit }: { after?: string; limit: number },
): Promise<undefined> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { waveSchema } = await import('../../domain/wave/schemas.ts');
  const { table } = await import('../output.ts');
  const page = await api.get(`${pathOf(project)}/waves?${queryOf(limit, after)}`, pageOf(waveSchema, 'WavePage'));
  const rows = page.items.map(({ id, name, requested_at, phase, result }) => [
    ...[id, name, requested_at, result.outcome ?? phase],
    ...[String(result.documents), String(result.chunks), result.failure_reason ?? '-'],
  ]);
  const more = page.next_cursor === null ? [] : [`more: holdfast wave list ${project} --after ${page.next_cursor}`];
  out.data(page, [...table(['wave', 'name', 'requested', 'state', 'documents', 'chunks', 'reason'], rows), ...more]);
  return undefined;
}

async function showWave(
  context: Context,
  id: string,
  options: { follow?: boolean; timeout?: number },
): Promise<ExitCode | undefined> {
  const { followWave, linesOfWave } = await import('../follow-wave.ts');
  if (options.follow === true) return followWave(context, id, options.timeout ?? null);
  const { waveSchema } = await import('../../domain/wave/schemas.ts');
  const wave = await context.api.get(`/v1/waves/${encodeURIComponent(id)}`, waveSchema);
  context.out.data(wave, linesOfWave(wave));
  return undefined;
}

async function listItems(
  { api, out }: Context,
  id: string,
  { after, limit }: { after?: string; limit: number },
): Promise<undefined> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { waveItemSchema } = await import('../../domain/wave/schemas.ts');
  const { table } = await import('../output.ts');
  const path = `/v1/waves/${encodeURIComponent(id)}/items?${queryOf(limit, after)}`;
  const page = await api.get(path, pageOf(waveItemSchema, 'WaveItemPage'));
  const rows = page.items.map(({ state, source, path: at, reason }) => [state, source, at, reason ?? '-']);
  const more = page.next_cursor === null ? [] : [`more: holdfast wave items ${id} --after ${page.next_cursor}`];
  out.data(page, [...table(['state', 'source', 'path', 'reason'], rows), ...more]);
  return undefined;
}

async function say(
  { api, out }: Context,
  command: string,
  id: string,
  { reason }: { reason?: string },
): Promise<undefined> {
  const { waveSchema } = await import('../../domain/wave/schemas.ts');
  const body = reason === undefined ? {} : { reason };
  const wave = await api.post(`/v1/waves/${encodeURIComponent(id)}/${command}`, body, waveSchema);
  out.data(wave, [`${wave.project} ${wave.name}: ${command} taken, ${wave.phase}`]);
  return undefined;
}

async function rollBack(
  { api, out }: Context,
  project: string,
  { reason, number: undone, confirm }: { reason: string; number?: number; confirm?: string },
): Promise<undefined> {
  const { confirmName } = await import('../confirm.ts');
  const { rollbackSchema } = await import('../../domain/wave/schemas.ts');
  await confirmName(out, project, confirm, `Putting the last wave of ${project} back`);
  const body = { reason, ...(undone === undefined ? {} : { number: undone }) };
  const answer = await api.post(`${pathOf(project)}/rollback`, body, rollbackSchema);
  out.data(answer, [`${answer.project}: generation ${answer.visible} is visible, ${answer.number} is undone; held`]);
  out.message(`next: holdfast wave release ${project}`);
  return undefined;
}

async function release({ api, out }: Context, project: string): Promise<undefined> {
  await api.delete(`${pathOf(project)}/hold`);
  out.data({ project, held: false }, [`${project}: released`]);
  return undefined;
}

function pathOf(project: string): string {
  return `/v1/projects/${encodeURIComponent(project)}`;
}

function queryOf(limit: number, after: string | undefined): string {
  return new URLSearchParams({ limit: String(limit), ...(after === undefined ? {} : { cursor: after }) }).toString();
}
