import { z } from 'zod';

/** A list: more of it follows while `next_cursor` is not null. */
export const pageOf = <T extends z.ZodType>(item: T, id: string) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() }).meta({ id });

export const runSchema = z
  .object({ workflow_id: z.string(), run_id: z.string(), run_url: z.string().nullable() })
  .meta({ id: 'Run', description: 'A run of a workflow.' });
