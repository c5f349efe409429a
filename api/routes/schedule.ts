import type { ScheduleStore, StoredSchedule } from '../../adapters/postgres/schedules.ts';
import type { PipelineSchedules } from '../../adapters/temporal/pipeline-schedules.ts';
import { scheduledRequests } from '../../domain/schedule/requests.ts';
import { scheduleRules, usualSchedules, type ShownSchedule } from '../../domain/schedule/schedules.ts';
import { invalid } from '../problem.ts';
import type { Route } from '../route.ts';

export interface ScheduleRouteDeps {
  readonly schedules: ScheduleStore;
  readonly pipelineSchedules: Pick<PipelineSchedules, 'standing' | 'resume'>;
  readonly box: string;
}

/** Row B10. A worker takes over what the rows say within half a minute. */
export function scheduleRoutes(route: Route, { schedules, pipelineSchedules, box }: ScheduleRouteDeps): void {
  async function show({ changed_at, ...schedule }: StoredSchedule): Promise<ShownSchedule> {
    const standing = await pipelineSchedules.standing(schedule.name);
    return {
      ...schedule,
      action: scheduleRules[schedule.name].action,
      changed_at: changed_at.toISOString(),
      paused: standing?.paused ?? null,
      next_at: standing?.next_at?.toISOString() ?? null,
    };
  }

  route('schedule_list', async () => {
    await schedules.fill(usualSchedules(box));
    const items = await Promise.all((await schedules.list()).map(show));
    return { status: 200, body: { items, next_cursor: null } };
  });

  route('schedule_put', async ({ params: { name }, body, caller }) => {
    await schedules.fill(usualSchedules(box));
    const before = await schedules.find(name);
    if (before === null) throw new Error(`schedule ${name} was filled in and is not there`);
    const request = scheduledRequests[scheduleRules[name].action].safeParse(body.request ?? before.request);
    if (!request.success) throw invalid(request.error);
    const { timing, enabled } = body;
    await schedules.put({ name, box: before.box, timing, enabled, request: { ...request.data } }, caller.actor);
    await pipelineSchedules.resume(name);
    const after = await schedules.find(name);
    return { status: 200, body: await show(after ?? before) };
  });
}
