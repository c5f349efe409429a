import type { ScheduleStore } from '../adapters/postgres/schedules.ts';
import type { ScheduledOrder } from '../domain/schedule/order.ts';
import { scheduleRules, type ScheduleName } from '../domain/schedule/schedules.ts';

/** What is due, as its row says. */
export function createScheduleActivities({ schedules }: { readonly schedules: Pick<ScheduleStore, 'find'> }) {
  return {
    /** null: nothing is to be done any more. */
    async scheduledOrder(name: ScheduleName): Promise<ScheduledOrder | null> {
      const found = await schedules.find(name);
      if (found?.enabled !== true) return null;
      const { box, request } = found;
      return { name, box, request, action: scheduleRules[name].action };
    },
  };
}

export type ScheduleActivities = ReturnType<typeof createScheduleActivities>;
