import { z } from 'zod';
import { backupProgressSchema } from '../backup/schemas.ts';
import { stampSchema } from '../backup/stamp.ts';
import { evidenceSchemaOf } from '../evidence.ts';
import { restoreOutcomes, restorePhases, restoreTriggers } from './words.ts';

const count = z.number().int().min(0);
const day = 86_400_000;

/** Row B6: what a caller may say of one restore. */
export const restoreRequestSchema = z
  .strictObject({
    confirm_service_stopped: z.boolean().default(false).meta({
      description: 'The services whose files are replaced are stopped. It is checked against what really runs.',
    }),
    pre_snapshot: z.boolean().default(true).meta({
      description:
        'A recovery point of what is live is made and pinned first. Without it only the old side can be put back.',
    }),
    vectors: z.boolean().default(true).meta({
      description: 'Recover the snapshots of Qdrant. Without: the points are computed from the restored Postgres.',
    }),
    files: z
      .array(z.string().min(1).max(200))
      .max(1_000)
      .nullable()
      .default(null)
      .meta({ description: 'Names of file sets; null: all of the point.' }),
    hold_ms: count
      .max(90 * day)
      .default(day)
      .meta({ description: 'How long the old side is kept, in which one command puts it back. 0: not at all.' }),
  })
  .meta({ id: 'RestoreRequest' });
export type RestoreRequest = z.output<typeof restoreRequestSchema>;

/** What a restore says of itself. */
export const restoreResultSchema = z
  .object({
    outcome: z.enum(restoreOutcomes).nullable(),
    failure_reason: z.string().nullable(),
    safety_stamp: stampSchema.nullable().meta({ description: 'The recovery point of what was live before.' }),
    degraded: z.array(z.string()).meta({ description: 'What is well, but not as it should be.' }),
    live: z.enum(['old', 'restored', 'unknown']).meta({ description: 'Which side everybody sees.' }),
    held_until: z.iso.datetime().nullable(),
    timings_ms: z
      .record(z.string(), count)
      .meta({ description: 'By phase; `swap_database`: while nobody could connect.' }),
  })
  .meta({ id: 'RestoreResult' });
export type RestoreResult = z.output<typeof restoreResultSchema>;

/** One restore, as the API shows it. */
export const restoreSchema = z
  .object({
    id: z.uuid(),
    stamp: stampSchema,
    box: z.string(),
    actor: z.string(),
    trigger: z.enum(restoreTriggers),
    request: restoreRequestSchema,
    phase: z.enum(restorePhases),
    progress: backupProgressSchema.nullable(),
    result: restoreResultSchema,
    evidence: z.array(evidenceSchemaOf(restorePhases, 'RestoreEvidence')),
    workflow_id: z.string(),
    run_id: z.string().nullable(),
    run_url: z.string().nullable(),
    requested_at: z.iso.datetime(),
    closed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Restore' });
export type Restore = z.output<typeof restoreSchema>;
