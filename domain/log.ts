import { z } from 'zod';

export const logQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1_000).default(200).meta({ description: 'So many lines at the most.' }),
  cursor: z.string().min(1).max(1_000).optional().meta({
    description: '`cursor` of the answer before; opaque. Without it: the last lines.',
  }),
});

/** Row D14: a piece of a service's log. Whoever asks again and again with `cursor` gets every line once, or is told. */
export const logPageSchema = z
  .object({
    logs: z
      .array(z.string())
      .meta({ description: 'Lines without their newline; one of more than 64 KiB comes in pieces.' }),
    cursor: z.string().meta({ description: 'Where to go on.' }),
    start_cursor: z.string().meta({ description: 'Where this answer begins.' }),
    end_cursor: z.string().meta({ description: 'Where the log ends for now.' }),
    truncated: z
      .boolean()
      .meta({ description: 'Lines before this answer, behind the cursor that was given, are gone.' }),
    has_more: z.boolean().meta({ description: 'There is more behind `cursor` now: it is before `end_cursor`.' }),
    epoch: z.string().nullable().meta({
      description:
        'The start of the service that these lines are from: another one is another log. null: it never ran.',
    }),
  })
  .meta({ id: 'LogPage' });
export type ServiceLogPage = z.output<typeof logPageSchema>;
