import type { z } from 'zod';
import { backupRequestSchema, pruneRequestSchema } from '../backup/schemas.ts';
import { drillRequestSchema } from '../drill/schemas.ts';
import type { ScheduleAction } from './schedules.ts';

/** What the runs of a schedule may be asked for: what a person may ask for. */
export const scheduledRequests: Readonly<Record<ScheduleAction, z.ZodType<object>>> = {
  backup: backupRequestSchema,
  prune: pruneRequestSchema,
  drill: drillRequestSchema,
};
