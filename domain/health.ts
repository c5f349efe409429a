import { z } from 'zod';

export const buildInfoSchema = z.object({
  build_sha: z.string(),
  build_time: z.string(),
  build_branch: z.string(),
});
export type BuildInfo = z.output<typeof buildInfoSchema>;

export const serverStateSchema = z.object({
  state: z.enum(['ok', 'unavailable']),
  version: z.string().nullable(),
  reason: z.string().nullable(),
});
export type ServerState = z.output<typeof serverStateSchema>;

/** `none`: search by words only was asked for. `unavailable`: it is all that there is, for the reason that is said. */
export const embeddingStateSchema = z.object({
  state: z.enum(['ok', 'none', 'unavailable']),
  /** The key of the embedding identity; `none` without one. */
  identity: z.string(),
  reason: z.string().nullable(),
});
export type EmbeddingState = z.output<typeof embeddingStateSchema>;

/** `degraded`: the API answers, something behind it does not. It is not down, so the status is 200 all the same. */
export const healthSchema = buildInfoSchema
  .extend({
    status: z.enum(['ok', 'degraded']),
    versions: z.record(z.string(), z.string()),
    servers: z.object({
      temporal: serverStateSchema,
      postgres: serverStateSchema,
      qdrant: serverStateSchema,
      worker: serverStateSchema,
    }),
    embeddings: embeddingStateSchema,
    checked_at: z.iso.datetime(),
  })
  .meta({ id: 'Health' });
export type Health = z.output<typeof healthSchema>;

/** A line of `holdfast doctor`; the same id and words wherever this check is shown. */
export const checkSchema = z
  .object({
    id: z.string(),
    state: z.enum(['ok', 'warn', 'fail']),
    found: z.string(),
    advice: z.string().nullable(),
  })
  .meta({ id: 'Check' });
export type Check = z.output<typeof checkSchema>;
