import type { Command } from 'commander';
import type { ServiceLogPage } from '../../domain/log.ts';
import { leaf, number, runs, type Context } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';

interface LogOptions {
  readonly follow?: boolean;
  readonly lines: number;
  readonly cursor?: string;
}

const pollMs = 500;
const patienceMs = 60_000;

/** `service logs`, put among the commands of `service`. */
export function logCommand(service: Command): void {
  leaf(service, 'logs <name>', 'what it says: its last lines')
    .option('--follow', 'and then what comes, until Ctrl-C; with --json one answer a line')
    .option('--lines <n>', 'how many at the most; with --follow before what comes', number(1, 1_000), 200)
    .option('--cursor <cursor>', 'go on from there: the cursor of an answer')
    .action(runs((context, name: string, options: LogOptions) => showLog(context, name, options)));
}

async function showLog(context: Context, name: string, options: LogOptions): Promise<ExitCode> {
  if (options.follow === true) return follow(context, name, options);
  const page = await ask(context, name, options.lines, options.cursor ?? null);
  createTeller(context)(page);
  if (page.has_more) context.out.message(`next: holdfast service logs ${name} --cursor ${page.cursor}`);
  return exitCodes.ok;
}

/** Until Ctrl-C, after which the log can be gone on with from the same place. */
async function follow(context: Context, name: string, { lines, cursor }: LogOptions): Promise<ExitCode> {
  const { out } = context;
  const leave = new AbortController();
  process.once('SIGINT', () => leave.abort());
  let at = cursor ?? null;
  const tell = createTeller(context);
  try {
    for await (const page of pages(context, name, lines, at, leave.signal)) {
      if (page.logs.length > 0 || page.truncated || at === null) tell(page);
      at = page.cursor;
    }
  } catch (error) {
    if (!leave.signal.aborted) throw error;
  }
  out.message(`next: holdfast service logs ${name} --follow${at === null ? '' : ` --cursor ${at}`}`);
  return exitCodes.interrupted;
}

/** One answer after the other, for ever. The API may be away for a minute. */
async function* pages(context: Context, name: string, lines: number, from: string | null, signal: AbortSignal) {
  const { setTimeout: sleep } = await import('node:timers/promises');
  const { CliError } = await import('../cli-error.ts');
  let heard = Date.now();
  for (let cursor = from; ;) {
    let waits = true;
    try {
      const page = await ask(context, name, cursor === from ? lines : 1_000, cursor, signal);
      heard = Date.now();
      yield page;
      cursor = page.cursor;
      waits = !page.has_more;
    } catch (error) {
      signal.throwIfAborted();
      const mayPass = error instanceof CliError && error.transient;
      if (!mayPass || Date.now() - heard > patienceMs) throw error;
    }
    if (waits) await sleep(pollMs, undefined, { signal });
  }
}

async function ask(
  { api }: Context,
  name: string,
  limit: number,
  cursor: string | null,
  signal?: AbortSignal,
): Promise<ServiceLogPage> {
  const { logPageSchema } = await import('../../domain/log.ts');
  const query = new URLSearchParams({ limit: String(limit), ...(cursor === null ? {} : { cursor }) });
  return api.get(`/v1/services/${encodeURIComponent(name)}/logs?${query.toString()}`, logPageSchema, signal);
}

/** Lines on stdout; on stderr what a reader of the lines alone would not see. */
function createTeller({ out }: Context): (page: ServiceLogPage) => void {
  let epoch: string | null = null;
  return (page) => {
    if (page.truncated) out.message('holdfast: lines are missing here');
    if (page.epoch !== null && page.epoch !== epoch) out.message(`holdfast: the log of ${page.epoch}`);
    epoch = page.epoch;
    const lines = page.logs.map((line) => line.replace(/\r$/, ''));
    out.data(page, lines);
  };
}
