import { z } from 'zod';
import { stampSchema } from '../backup/stamp.ts';
import { evidenceSchemaOf } from '../evidence.ts';
import { targetNameSchema } from '../offsite/spec.ts';
import { drillLevels, drillOrigins, drillOutcomes, drillPhases, drillTriggers } from './words.ts';

/** Row B9: what a caller may say of one drill. */
export const drillRequestSchema = z
  .strictObject({
    level: z.enum(drillLevels).default('scratch'),
    from: z.enum(drillOrigins).default('local').meta({
      description: '`offsite`: the point is read back from another place, as if nothing were here.',
    }),
    target: targetNameSchema.optional().meta({ description: 'Which one; default: the one with the newest point.' }),
    stamp: stampSchema.optional().meta({ description: 'Default: the newest point.' }),
    damaged: z.boolean().default(false).meta({
      description: 'A copy is damaged on purpose, and must not pass. A drill that cannot fail proves nothing.',
    }),
    confirm_live: z.boolean().default(false).meta({
      description: 'Of a live drill: what is written between its backup and its restore is lost to the live side.',
    }),
  })
  .refine(
    ({ level, from, damaged, stamp }) => level === 'scratch' || (from === 'local' && !damaged && stamp === undefined),
    {
      path: ['level'],
      message: 'a live drill makes the point that it restores: no other place, no damage, no stamp',
    },
  )
  .refine(({ from, target }) => from === 'offsite' || target === undefined, {
    path: ['target'],
    message: 'only with from: offsite',
  })
  .meta({ id: 'DrillRequest' });
export type DrillRequest = z.output<typeof drillRequestSchema>;

/** What a drill says of itself. */
export const drillResultSchema = z
  .object({
    outcome: z.enum(drillOutcomes).nullable(),
    failure_reason: z.string().nullable(),
    stamp: stampSchema.nullable(),
    target: z.string().nullable().meta({ description: 'Where it was read back from; null: from this box.' }),
    rto_ms: z.record(z.string(), z.number().int().min(0)).meta({
      description: 'How long a restore takes: by phase, and `total`.',
    }),
    rpo_seconds: z.number().int().min(0).nullable().meta({
      description: 'What would have been lost: the age of the newest proven point when the drill began.',
    }),
    marker: z.uuid().nullable().meta({ description: 'Of a live drill: the memory that must be gone.' }),
  })
  .meta({ id: 'DrillResult' });
export type DrillResult = z.output<typeof drillResultSchema>;

/** One drill, as the API shows it. */
export const drillSchema = z
  .object({
    id: z.uuid(),
    level: z.enum(drillLevels),
    from: z.enum(drillOrigins),
    damaged: z.boolean(),
    box: z.string(),
    actor: z.string(),
    trigger: z.enum(drillTriggers),
    phase: z.enum(drillPhases),
    result: drillResultSchema,
    evidence: z.array(evidenceSchemaOf(drillPhases, 'DrillEvidence')),
    workflow_id: z.string(),
    run_id: z.string().nullable(),
    run_url: z.string().nullable(),
    requested_at: z.iso.datetime(),
    closed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Drill' });
export type Drill = z.output<typeof drillSchema>;
