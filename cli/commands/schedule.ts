import type { Command } from 'commander';
import { leaf, number, runs, type Context } from '../command.ts';

export function scheduleCommands(program: Command): void {
  const schedule = program.command('schedule').description('what is done again and again: backup, retention, drills');
  leaf(schedule, 'list', 'when, when next, and whether it is paused').action(runs(listSchedules));
  leaf(schedule, 'put <name>', 'changes when it is done; one that was paused goes on')
    .option('--cron <expression>', 'five fields, in UTC')
    .option('--every <seconds>', 'instead of --cron', number(60, 31_536_000))
    .option('--request <file>', 'JSON: what each run is asked for; - for standard input')
    .option('--off', 'not at all, until it is put again')
    .action(runs(putSchedule));
}

async function listSchedules({ api, out }: Context): Promise<undefined> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { scheduleSchema } = await import('../../domain/schedule/schedules.ts');
  const { table } = await import('../output.ts');
  const page = await api.get('/v1/schedules', pageOf(scheduleSchema, 'SchedulePage'));
  const rows = page.items.map(({ name, timing, enabled, paused, next_at, request }) => {
    const when = 'cron' in timing ? timing.cron : `every ${timing.every_ms / 1_000} s`;
    const state = !enabled ? 'off' : paused === null ? 'not yet' : paused ? 'paused' : 'on';
    return [name, when, state, next_at ?? '-', JSON.stringify(request)];
  });
  out.data(page, table(['schedule', 'when (UTC)', 'state', 'next', 'request'], rows));
  return undefined;
}

interface PutOptions {
  readonly cron?: string;
  readonly every?: number;
  readonly request?: string;
  readonly off?: boolean;
}

async function putSchedule({ api, out }: Context, name: string, { cron, every, request, off }: PutOptions) {
  const { scheduleSchema } = await import('../../domain/schedule/schedules.ts');
  const { usageError } = await import('../cli-error.ts');
  const { readJson } = await import('../json-file.ts');
  if ((cron === undefined) === (every === undefined)) throw usageError('either --cron or --every says when');
  const timing = cron === undefined ? { every_ms: (every ?? 0) * 1_000 } : { cron };
  const asked = request === undefined ? {} : { request: await readJson(request) };
  const body = { timing, enabled: off !== true, ...asked };
  const schedule = await api.put(`/v1/schedules/${encodeURIComponent(name)}`, body, scheduleSchema);
  out.data(schedule, [`${name}: ${schedule.enabled ? 'in force within half a minute' : 'off'}`]);
  return undefined;
}
