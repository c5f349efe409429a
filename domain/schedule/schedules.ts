import { z } from 'zod';
import { backupRequestSchema, pruneRequestSchema } from '../backup/schemas.ts';
import { timingSchema, type Timing } from './timing.ts';

/** Row B10: what is done again and again. Refreshes are schedules as well; they are said with their project. */
export const scheduleNames = ['backup', 'retention', 'drill', 'drill_damaged', 'drill_live'] as const;
export type ScheduleName = (typeof scheduleNames)[number];

/** Which pipeline a schedule starts. */
export const scheduleActions = ['backup', 'prune', 'drill'] as const;
export type ScheduleAction = (typeof scheduleActions)[number];

/** How Temporal keeps it, each on purpose. */
export interface ScheduleRules {
  readonly action: ScheduleAction;
  /** How long after its time a missed one is still made up for: a box that was off catches up once. */
  readonly catch_up_ms: number;
  /** Whether one that failed is the last one until somebody looks. */
  readonly pause_on_failure: boolean;
}

const hour = 3_600_000;

export const scheduleRules: Readonly<Record<ScheduleName, ScheduleRules>> = {
  // A night without a backup is made up for all day; and one that failed is no reason to make none from then on.
  backup: { action: 'backup', catch_up_ms: 24 * hour, pause_on_failure: false },
  // What takes points away stops at the first thing that it does not understand. A night that is missed costs nothing.
  retention: { action: 'prune', catch_up_ms: hour, pause_on_failure: true },
  drill: { action: 'drill', catch_up_ms: 72 * hour, pause_on_failure: false },
  drill_damaged: { action: 'drill', catch_up_ms: 72 * hour, pause_on_failure: false },
  // It replaces live data, and says only when an operator is asked: never made up for at an hour that nobody chose.
  drill_live: { action: 'drill', catch_up_ms: hour, pause_on_failure: true },
};

/** A schedule, as a row says it. */
export interface Schedule {
  readonly name: ScheduleName;
  /** Where it works. */
  readonly box: string;
  readonly timing: Timing;
  readonly request: Readonly<Record<string, unknown>>;
  readonly enabled: boolean;
}

/** What a box that nobody has told anything does. Times in UTC. */
export function usualSchedules(box: string): readonly Schedule[] {
  return [
    { name: 'backup', box, timing: { cron: '15 2 * * *' }, request: backupRequestSchema.parse({}), enabled: true },
    { name: 'retention', box, timing: { cron: '45 3 * * *' }, request: pruneRequestSchema.parse({}), enabled: true },
    { name: 'drill', box, timing: { cron: '30 4 * * 0' }, request: { level: 'scratch' }, enabled: true },
    {
      ...{ name: 'drill_damaged', box, timing: { cron: '30 5 1 * *' } },
      ...{ request: { level: 'scratch', damaged: true }, enabled: true },
    },
    { name: 'drill_live', box, timing: { cron: '0 9 2 * *' }, request: { level: 'live' }, enabled: true },
  ];
}

const scheduleFields = z.strictObject({
  timing: timingSchema,
  request: z.record(z.string(), z.unknown()).optional().meta({
    description: 'What each run is asked for, as the action of the schedule takes it. Default: as it was.',
  }),
  enabled: z.boolean().default(true),
});

export const schedulePutSchema = scheduleFields.meta({ id: 'SchedulePut' });

export const scheduleSchema = z
  .object({
    name: z.enum(scheduleNames),
    action: z.enum(scheduleActions),
    box: z.string(),
    timing: timingSchema,
    request: z.record(z.string(), z.unknown()),
    enabled: z.boolean(),
    actor: z.string(),
    changed_at: z.iso.datetime(),
    paused: z
      .boolean()
      .nullable()
      .meta({ description: 'By hand, or after a failure; null: Temporal does not know it.' }),
    next_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Schedule' });
export type ShownSchedule = z.output<typeof scheduleSchema>;
