import { z } from 'zod';

/** Row B1: what of a service goes into recovery points, and comes back with them. */
export const filesSchema = z
  .array(
    z.strictObject({
      name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes'),
      path: z
        .string()
        .regex(/^\/[^\0]+$/, 'an absolute path on the box')
        .refine((path) => !path.split('/').includes('..'), 'without ..'),
      exclude: z.array(z.string().min(1).max(500)).max(100).default([]),
    }),
  )
  .max(32)
  .refine((sets) => new Set(sets.map(({ name }) => name)).size === sets.length, 'a name is used twice');
