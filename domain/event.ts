import { z } from 'zod';
import { eventPhases } from './deploy/words.ts';

/** Row D13 and the audit: append-only. */
export const eventSchema = z
  .object({
    id: z.number().int(),
    at: z.iso.datetime(),
    type: z.string().meta({ examples: ['deploy.started'] }),
    phase: z.enum(eventPhases).nullable(),
    subject: z.string().meta({ examples: ['service/web'] }),
    actor: z.string(),
    deploy_id: z.string().nullable(),
    wave_id: z.string().nullable(),
    backup_id: z.string().nullable(),
    restore_id: z.string().nullable(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });
export type Event = z.output<typeof eventSchema>;
