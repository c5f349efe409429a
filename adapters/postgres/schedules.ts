import { scheduleNames, scheduleRules, type Schedule, type ScheduleName } from '../../domain/schedule/schedules.ts';
import type { Sql } from './connect.ts';

export interface StoredSchedule extends Schedule {
  readonly actor: string;
  readonly changed_at: Date;
}

export type ScheduleStore = ReturnType<typeof createScheduleStore>;

/** Row B10: schedules as data. Every write may be repeated. */
export function createScheduleStore(sql: Sql) {
  const columns = sql`name, box, timing, request, enabled, actor, changed_at`;

  async function put({ name, box, timing, request, enabled }: Schedule, actor: string): Promise<void> {
    await sql`
      insert into schedules (name, action, box, timing, request, enabled, actor)
      values (${name}, ${scheduleRules[name].action}, ${box}, ${sql.json(timing)}, ${sql.json(request as never)}, ${enabled}, ${actor})
      on conflict (name) do update set box = excluded.box, timing = excluded.timing, request = excluded.request,
        enabled = excluded.enabled, actor = excluded.actor, changed_at = now()`;
  }

  return {
    put,

    /** What nobody has said anything about becomes as it usually is; what is there stays. */
    async fill(usual: readonly Schedule[]): Promise<void> {
      const there = new Set((await sql<{ name: string }[]>`select name from schedules`).map(({ name }) => name));
      for (const schedule of usual) if (!there.has(schedule.name)) await put(schedule, 'holdfast');
    },

    async find(name: ScheduleName): Promise<StoredSchedule | null> {
      const [row] = await sql<StoredSchedule[]>`select ${columns} from schedules where name = ${name}`;
      return row ?? null;
    },

    /** In the order of their names in the domain; what a newer version has put there is passed over. */
    async list(): Promise<StoredSchedule[]> {
      const rows = await sql<
        StoredSchedule[]
      >`select ${columns} from schedules where name = any(${[...scheduleNames]})`;
      return rows.sort((a, b) => scheduleNames.indexOf(a.name) - scheduleNames.indexOf(b.name));
    },
  };
}
