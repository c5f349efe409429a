import { ScheduleNotFoundError, ScheduleOverlapPolicy, type Client, type ScheduleOptions } from '@temporalio/client';
import { mainTaskQueue } from '../../domain/task-queue.ts';
import type { Timing } from '../../domain/schedule/timing.ts';

/** A project, and when it is refreshed by itself; null: only on demand. */
export interface Refreshed {
  readonly project: string;
  readonly schedule: Timing | null;
}

export type RefreshSchedules = ReturnType<typeof createRefreshSchedules>;

const idOf = (project: string): string => `refresh/${project}`;

/** Row W9: Temporal's schedules are made from registrations, and never hold anything that those do not. */
export function createRefreshSchedules(client: Client) {
  async function put({ project, schedule }: Refreshed): Promise<void> {
    const handle = client.schedule.getHandle(idOf(project));
    if (schedule === null) return handle.delete().catch(unlessGone);
    const wanted = optionsOf(project, schedule);
    try {
      await handle.update((before) => ({ ...wanted, state: before.state }));
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      await client.schedule.create(wanted);
    }
  }

  /** What this process has put, by project; null before it has looked at what there is. */
  let known: Map<string, string> | null = null;

  /** Of projects that are gone, also those that went while nobody looked. */
  async function removeOthers(registered: ReadonlySet<string>): Promise<void> {
    for await (const { scheduleId } of client.schedule.list()) {
      if (!scheduleId.startsWith('refresh/') || registered.has(scheduleId)) continue;
      await client.schedule.getHandle(scheduleId).delete().catch(unlessGone);
    }
  }

  return {
    /**
     * Creates, changes and deletes until they are what is registered: all of them the first time, which is at boot and after a
     * restore, and what has changed since then from the second time on.
     */
    async reconcile(projects: readonly Refreshed[]): Promise<void> {
      const before = known ?? new Map<string, string>();
      const now = new Map(projects.map(({ project, schedule }) => [project, JSON.stringify(schedule)]));
      for (const each of projects) if (before.get(each.project) !== now.get(each.project)) await put(each);
      const isGone = [...before.keys()].some((project) => !now.has(project));
      if (known === null || isGone) await removeOthers(new Set(projects.map(({ project }) => idOf(project))));
      known = now;
    },
  };
}

function optionsOf(project: string, schedule: Timing) {
  return {
    scheduleId: idOf(project),
    spec: 'cron' in schedule ? { cronExpressions: [schedule.cron] } : { intervals: [{ every: schedule.every_ms }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'refreshProject',
      workflowId: idOf(project),
      taskQueue: mainTaskQueue,
      args: [{ project }],
    },
    // A box that was off catches up once, not once for every night.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 hour' },
  } satisfies ScheduleOptions;
}

function unlessGone(error: unknown): void {
  if (!(error instanceof ScheduleNotFoundError)) throw error;
}
