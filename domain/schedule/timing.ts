import { z } from 'zod';
import { cron } from './cron.ts';

/** When something is done again: at times of the calendar, or after each such while. */
export const timingSchema = z.union([
  z.strictObject({ cron }),
  z.strictObject({ every_ms: z.number().int().min(60_000).max(31_536_000_000) }),
]);
export type Timing = z.output<typeof timingSchema>;
