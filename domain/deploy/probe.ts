import { z } from 'zod';

/** Row D5: what one look at a service found. */
export const probeResultSchema = z
  .object({
    healthy: z.boolean(),
    running: z.boolean(),
    pid: z.number().int().nullable(),
    probe: z.enum(['process', 'command', 'http']).meta({ description: 'Which of the three decided.' }),
    reason: z.string().meta({
      description:
        '`process_running`, `process_not_running`, `process_exited:<code>`, `command_ok`, `command_exit:<n>`, `command_timeout`, `command_error:<class>`, `http_ok` (200-399), `http_status:<n>` or `http_error`.',
      examples: ['http_ok'],
    }),
    checked_at: z.iso.datetime(),
    returncode: z.number().int().nullable(),
    http_status: z.number().int().nullable(),
    command: z.array(z.string()).readonly().nullable(),
  })
  .meta({ id: 'ProbeResult' });
export type ProbeResult = z.output<typeof probeResultSchema>;

/** A probe with what is being probed: a service's instance that should run. */
export const serviceHealthSchema = probeResultSchema
  .extend({
    service: z.string(),
    instance: z.string().nullable(),
    release_id: z.string().nullable(),
    desired: z.enum(['running', 'stopped']),
  })
  .meta({ id: 'ServiceHealth' });
export type ServiceHealth = z.output<typeof serviceHealthSchema>;
