import { Option, type Command } from 'commander';
import type { Drill } from '../../domain/drill/schemas.ts';
import { leaf, number, runs, waitOptions, waits, type Context } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';

interface RunOptions {
  readonly level: 'scratch' | 'live';
  readonly from: string;
  readonly target?: string;
  readonly stamp?: string;
  readonly damaged?: boolean;
  readonly confirm?: string;
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: number;
  readonly idempotencyKey?: string;
}

export function drillCommands(program: Command): void {
  const drill = program
    .command('drill')
    .description('rehearsed restores: whether the data could be brought back, and how fast');
  waitOptions(leaf(drill, 'run', 'restores a point, looks at it by every check there is, and takes the time'))
    .addOption(
      new Option('--level <level>', 'beside the live data, or the live data themselves')
        .choices(['scratch', 'live'])
        .default('scratch'),
    )
    .addOption(
      new Option('--from <place>', 'the point of this box, or read back from another place')
        .choices(['local', 'offsite'])
        .default('local'),
    )
    .option('--target <name>', 'with --from offsite: which one; default: that with the newest point')
    .option('--stamp <stamp>', 'of this point; default: the newest')
    .option('--damaged', 'damage a copy on purpose: it must not pass')
    .option('--confirm <word>', 'with --level live, in scripts: live')
    .option('--idempotency-key <key>', 'the same key is the same drill, for ever')
    .action(runs(run));
  leaf(drill, 'list', 'newest first; exit code 8 when the last one of a kind did not pass')
    .option('--level <level>', 'only scratch or live ones')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .action(runs(list));
  leaf(drill, 'show <id>', 'one drill with its evidence').action(runs(show));
}

async function run({ api, out }: Context, options: RunOptions): Promise<ExitCode | undefined> {
  const { level, from, target, stamp, damaged = false } = options;
  const { drillSchema } = await import('../../domain/drill/schemas.ts');
  const { confirmName } = await import('../confirm.ts');
  if (level === 'live') {
    const what =
      'A live drill restores the live data: what is written between its backup and its restore is lost to them';
    await confirmName(out, 'live', options.confirm, what);
  }
  const body = { level, from, target, stamp, damaged, confirm_live: level === 'live' };
  const started = await api.post('/v1/drills', body, drillSchema, options.idempotencyKey);
  const comeBack = `holdfast drill show ${started.id}`;
  if (!waits(out.interactive, options)) {
    out.data(started, [started.id]);
    out.message(`next: ${comeBack}`);
    return undefined;
  }
  const { waitFor } = await import('../waiting.ts');
  const waiting = { what: `drill ${started.id}`, comeBack };
  return waitFor(out, waiting, options.timeout ?? null, (left) => follow({ api, out }, started.id, left));
}

const everyMs = 1_000;

async function follow({ api, out }: Pick<Context, 'api' | 'out'>, id: string, left: AbortSignal): Promise<ExitCode> {
  const { drillSchema } = await import('../../domain/drill/schemas.ts');
  const { setTimeout: sleep } = await import('node:timers/promises');
  let [phase, told] = ['', 0];
  for (;;) {
    const drill = await api.get(`/v1/drills/${id}`, drillSchema, left);
    if (drill.phase !== phase) out.message(`  ${drill.phase}`);
    for (const { ok, check, reason } of drill.evidence.slice(told)) out.message(`    ${mark(ok)} ${check}: ${reason}`);
    [phase, told] = [drill.phase, drill.evidence.length];
    if (drill.closed_at !== null) return conclude(out, drill);
    await sleep(everyMs, undefined, { signal: left });
  }
}

function conclude(out: Context['out'], drill: Drill): ExitCode {
  const { outcome, failure_reason } = drill.result;
  out.data(drill, [`${drill.level}: ${String(outcome)}${rto(drill)}`]);
  const exitCode = exitCodeOf(drill);
  if (exitCode !== exitCodes.ok) {
    out.message(`holdfast: the drill: ${String(outcome)}${failure_reason === null ? '' : ` (${failure_reason})`}`);
    out.message(`next: holdfast drill show ${drill.id}`);
  }
  return exitCode;
}

function exitCodeOf({ result: { outcome } }: Drill): ExitCode {
  if (outcome === 'passed' || outcome === 'damage_found') return exitCodes.ok;
  return outcome === 'refused' ? exitCodes.refused : exitCodes.failed;
}

async function list({ api, out }: Context, { level, limit }: { level?: string; limit: number }): Promise<ExitCode> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { drillSchema } = await import('../../domain/drill/schemas.ts');
  const { table } = await import('../output.ts');
  const query = new URLSearchParams({ limit: String(limit), ...(level === undefined ? {} : { level }) });
  const page = await api.get(`/v1/drills?${query.toString()}`, pageOf(drillSchema, 'DrillPage'));
  const rows = page.items.map((drill) => {
    const { id, requested_at, result } = drill;
    return [
      id,
      requested_at,
      kindOf(drill),
      result.outcome ?? drill.phase,
      result.stamp ?? '-',
      seconds(result.rto_ms['total']),
    ];
  });
  out.data(page, table(['id', 'when', 'kind', 'outcome', 'point', 'rto'], rows));
  const bad = lastOfEach(page.items).filter((drill) => exitCodeOf(drill) === exitCodes.failed);
  for (const drill of bad)
    out.message(
      `the last ${kindOf(drill)} drill: ${String(drill.result.outcome)}; next: holdfast drill show ${drill.id}`,
    );
  return bad.length > 0 ? exitCodes.finding : exitCodes.ok;
}

/** Of those that are over, the newest of each kind. */
function lastOfEach(drills: readonly Drill[]): Drill[] {
  const last = new Map<string, Drill>();
  for (const drill of drills) {
    if (drill.closed_at !== null && !last.has(kindOf(drill))) last.set(kindOf(drill), drill);
  }
  return [...last.values()];
}

async function show({ api, out }: Context, id: string): Promise<undefined> {
  const { drillSchema } = await import('../../domain/drill/schemas.ts');
  const drill = await api.get(`/v1/drills/${encodeURIComponent(id)}`, drillSchema);
  const { outcome, failure_reason, stamp, target, rto_ms, rpo_seconds, marker } = drill.result;
  const phases = Object.entries(rto_ms).map(([phase, ms]) => `${phase} ${seconds(ms)}`);
  out.data(drill, [
    `${kindOf(drill)} drill ${drill.id}: ${drill.phase}`,
    `  result   ${outcome ?? '-'}${failure_reason === null ? '' : ` (${failure_reason})`}`,
    `  point    ${stamp ?? '-'} from ${target ?? 'this box'}`,
    `  rto      ${phases.join(', ') || '-'}`,
    `  rpo      ${rpo_seconds === null ? '-' : `${rpo_seconds} s`}`,
    ...(marker === null ? [] : [`  marker   ${marker}`]),
    ...drill.evidence.map(({ ok, phase, check, reason }) => `  ${mark(ok)} ${phase}  ${check}: ${reason}`),
  ]);
  return undefined;
}

function kindOf({ level, damaged }: Drill): string {
  return damaged ? `${level}, damaged` : level;
}

function rto({ result }: Drill): string {
  const total = result.rto_ms['total'];
  return total === undefined ? '' : ` in ${seconds(total)}`;
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '-' : `${(ms / 1_000).toFixed(1)} s`;
}

function mark(ok: boolean): string {
  return ok ? '✓' : '✗';
}
