import type { Command } from 'commander';
import type { Service } from '../../domain/service.ts';
import type { Api } from '../client.ts';
import { leaf, runs, waitOptions, waits, type Context } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { logCommand } from './log.ts';

interface StopOptions {
  readonly confirm?: string;
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: number;
}

export function serviceCommands(program: Command): void {
  const service = program.command('service').description('what is deployed, and how it runs');

  leaf(service, 'register <name>', 'registers a service, or changes how it is registered')
    .requiredOption('--file <path>', 'its spec as JSON; - for standard input')
    .action(
      runs(async ({ api, out }, name: string, options: { file: string }) => {
        const { serviceSchema } = await import('../../domain/service.ts');
        const { readJson } = await import('../json-file.ts');
        const spec = await readJson(options.file);
        const registered = await api.put(pathOf(name), spec, serviceSchema);
        out.data(registered, [`${name} is registered`]);
        out.message(`next: holdfast deploy ${name}`);
        return undefined;
      }),
    );

  leaf(service, 'list', 'all services').action(
    runs(async ({ api, out }) => {
      const { everyPage } = await import('../every-page.ts');
      const { serviceSchema } = await import('../../domain/service.ts');
      const { table } = await import('../output.ts');
      const page = await everyPage(api, '/v1/services', serviceSchema);
      const rows = page.items.map((item) => [
        item.name,
        item.desired.state,
        item.desired.release_id ?? '-',
        mode(item),
      ]);
      out.data(page, table(['service', 'should be', 'release', 'mode'], rows));
      return undefined;
    }),
  );

  leaf(service, 'show <name>', 'one service').action(
    runs(async ({ api, out }, name: string) => {
      const { serviceSchema } = await import('../../domain/service.ts');
      const shown = await api.get(pathOf(name), serviceSchema);
      const { desired, spec } = shown;
      const line = `${name} should be ${desired.state}, release ${desired.release_id ?? 'none'}, ${mode(shown)}`;
      out.data(shown, [line, JSON.stringify(spec, null, 2)]);
      return undefined;
    }),
  );

  waitOptions(leaf(service, 'stop <name>', 'stops it, and keeps it stopped until the next deploy'))
    .option('--confirm <name>', 'in scripts: the name again')
    .action(runs((context, name: string, options: StopOptions) => stopService(context, name, options)));

  leaf(service, 'health <name>', 'asks its probes now').action(runs(showHealth));

  logCommand(service);

  leaf(service, 'clear-safe-mode <name>', 'allows automatic actions on it again')
    .option('--confirm <name>', 'in scripts: the name again')
    .action(
      runs(async ({ api, out }, name: string, options: { confirm?: string }) => {
        const { confirmName } = await import('../confirm.ts');
        await confirmName(out, name, options.confirm, `Allowing automatic actions on ${name}`);
        await api.delete(`${pathOf(name)}/safe_mode`);
        out.data({ name, safe_mode: false }, [`${name} is not in safe mode`]);
        return undefined;
      }),
    );
}

async function showHealth({ api, out }: Context, name: string): Promise<ExitCode> {
  const { serviceHealthSchema } = await import('../../domain/deploy/probe.ts');
  const health = await api.get(`${pathOf(name)}/health`, serviceHealthSchema);
  out.data(health, [`${name}: ${health.healthy ? 'healthy' : 'not healthy'} (${health.reason})`]);
  if (health.healthy) return exitCodes.ok;
  out.message(`next: holdfast service logs ${name}`);
  return exitCodes.finding;
}

function pathOf(name: string): string {
  return `/v1/services/${encodeURIComponent(name)}`;
}

function mode({ safe_mode }: Service): string {
  return safe_mode ? 'safe mode' : 'automatic';
}

async function stopService({ api, out }: Context, name: string, options: StopOptions): Promise<ExitCode> {
  const { runSchema } = await import('../../domain/answer.ts');
  const { confirmName } = await import('../confirm.ts');
  const { waitFor } = await import('../waiting.ts');
  await confirmName(out, name, options.confirm, `Stopping ${name}`);
  const stopped = await watchForStop(api, name);
  const run = await api.post(`${pathOf(name)}/stop`, {}, runSchema);
  const comeBack = `holdfast service show ${name}`;
  if (!waits(out.interactive, options)) {
    out.data(run, [`${name} is being stopped`]);
    out.message(`next: ${comeBack}`);
    return exitCodes.ok;
  }
  const what = `run ${run.workflow_id} ${run.run_id}`;
  return waitFor(out, { what, comeBack }, options.timeout ?? null, async (left) => {
    await stopped(left);
    out.data(run, [`${name} is stopped`]);
    return exitCodes.ok;
  });
}

/** Remembers where the audit of the service ends now; what it returns waits until a stop stands behind that. */
async function watchForStop(api: Api, name: string): Promise<(left: AbortSignal) => Promise<void>> {
  const { setTimeout: sleep } = await import('node:timers/promises');
  const { pageOf } = await import('../../domain/answer.ts');
  const { eventSchema } = await import('../../domain/event.ts');
  const page = pageOf(eventSchema, 'EventPage');
  const query = new URLSearchParams({ subject: `service/${name}`, limit: '200' });
  let last = 0;
  /** Reads what is new; the last full page is read again, because a page that is not full has no cursor. */
  const stopIsNew = async (left?: AbortSignal): Promise<boolean> => {
    let found = false;
    for (;;) {
      const { items, next_cursor } = await api.get(`/v1/events?${query.toString()}`, page, left);
      found ||= items.some(({ id, type }) => id > last && type === 'service.stopped');
      last = Math.max(last, items.at(-1)?.id ?? 0);
      if (next_cursor === null) return found;
      query.set('cursor', next_cursor);
    }
  };
  await stopIsNew();
  return async (left) => {
    while (!(await stopIsNew(left))) await sleep(200, undefined, { signal: left });
  };
}
