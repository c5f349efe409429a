import { ScheduleNotFoundError, ScheduleOverlapPolicy, type Client, type ScheduleOptions } from '@temporalio/client';
import { scheduleRules, type Schedule, type ScheduleName } from '../../domain/schedule/schedules.ts';
import { mainTaskQueue } from '../../domain/task-queue.ts';

/** What Temporal knows of a schedule. */
export interface ScheduleStanding {
  readonly paused: boolean;
  readonly next_at: Date | null;
}

export type PipelineSchedules = ReturnType<typeof createPipelineSchedules>;

const idOf = (name: ScheduleName): string => `schedule/${name}`;

/** Row B10: Temporal's schedules are made from rows, and never hold anything that those do not. */
export function createPipelineSchedules(client: Client) {
  async function put(schedule: Schedule): Promise<void> {
    const handle = client.schedule.getHandle(idOf(schedule.name));
    if (!schedule.enabled) return handle.delete().catch(unlessGone);
    const wanted = optionsOf(schedule);
    try {
      // One that was paused, by hand or by a failure, stays paused.
      await handle.update((before) => ({ ...wanted, state: before.state }));
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      await client.schedule.create(wanted);
    }
  }

  /** What this process has put. */
  const known = new Map<ScheduleName, string>();

  return {
    /** Creates, changes and deletes until they are what the rows say: all of them the first time, then what has changed. */
    async reconcile(schedules: readonly Schedule[]): Promise<void> {
      for (const schedule of schedules) {
        const { name, timing, enabled } = schedule;
        const now = JSON.stringify({ timing, enabled });
        if (known.get(name) === now) continue;
        await put(schedule);
        known.set(name, now);
      }
    },

    /** null: Temporal does not have it. */
    async standing(name: ScheduleName): Promise<ScheduleStanding | null> {
      try {
        const { state, info } = await client.schedule.getHandle(idOf(name)).describe();
        return { paused: state.paused, next_at: info.nextActionTimes[0] ?? null };
      } catch (error) {
        if (error instanceof ScheduleNotFoundError) return null;
        throw error;
      }
    },

    async resume(name: ScheduleName): Promise<void> {
      await client.schedule.getHandle(idOf(name)).unpause().catch(unlessGone);
    },
  };
}

function optionsOf({ name, timing }: Schedule) {
  const { catch_up_ms, pause_on_failure } = scheduleRules[name];
  return {
    scheduleId: idOf(name),
    spec: 'cron' in timing ? { cronExpressions: [timing.cron] } : { intervals: [{ every: timing.every_ms }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'scheduled',
      workflowId: idOf(name),
      taskQueue: mainTaskQueue,
      args: [{ name }],
    },
    // One that is still under way when the next is due does the work of both.
    policies: {
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: catch_up_ms,
      pauseOnFailure: pause_on_failure,
    },
  } satisfies ScheduleOptions;
}

function unlessGone(error: unknown): void {
  if (!(error instanceof ScheduleNotFoundError)) throw error;
}
