import { z } from 'zod';
import { evidenceSchemaOf } from '../evidence.ts';
import { waveKinds, waveOutcomes, wavePhases, waveTriggers } from './words.ts';

const waveName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes')
  .meta({ examples: ['nightly'] });

const waveRequestFields = z.strictObject({
  name: waveName.default('refresh'),
  kind: z.enum(waveKinds).default('corpus'),
  sources: z.array(z.string()).min(1).max(50).optional().meta({
    description: 'Which sources of the project; default: all of them. What other sources gave stays as it is.',
  }),
  dry_run: z.boolean().default(false).meta({ description: 'Plan only: list, compare, count and price.' }),
  require_approval: z
    .boolean()
    .optional()
    .meta({ description: 'Wait for an approval of the plan; default: as the project says.' }),
  retry_quarantined: z.boolean().default(false).meta({
    description: 'Try again what is quarantined, though neither its bytes nor the parser have changed.',
  }),
  reembed: z.boolean().default(false).meta({
    description: 'Row W10: everything again, with the embedder that this box has now, beside what is visible.',
  }),
});

/** Row W5: what a caller may say of one wave. */
export const waveRequestSchema = waveRequestFields
  .refine(({ kind, sources }) => kind === 'corpus' || sources === undefined, {
    path: ['sources'],
    message: 'a wave of trusted items takes them from where the project lists them',
  })
  .refine(({ kind, reembed }) => kind === 'corpus' || !reembed, {
    path: ['reembed'],
    message: 'it is everything of a project that is embedded again, in a wave of kind corpus',
  })
  .refine(({ sources, reembed }) => sources === undefined || !reembed, {
    path: ['sources'],
    message: 'it is all sources of a project that are embedded again: one collection cannot hold two models',
  })
  .meta({ id: 'WaveRequest' });
export type WaveRequest = z.output<typeof waveRequestSchema>;

const count = z.number().int().min(0);

/** Counted and priced before anything is staged. */
export const wavePlanSchema = z
  .object({
    added: count,
    changed: count,
    moved: count,
    removed: count,
    unchanged: count,
    quarantined: count.meta({ description: 'Known bad, and not tried again.' }),
    bytes: count.meta({ description: 'To be staged.' }),
    chunks_estimate: count,
    embed_seconds_estimate: z.number().min(0).nullable().meta({
      description: 'On one embedder, at the rate that this box has shown; null when it has shown none.',
    }),
    examples: z.array(
      z.object({ change: z.enum(['added', 'changed', 'moved', 'removed']), source: z.string(), path: z.string() }),
    ),
  })
  .meta({ id: 'WavePlan' });
export type WavePlan = z.output<typeof wavePlanSchema>;

/** What a wave says of itself. */
export const waveResultSchema = z
  .object({
    number: count.nullable().meta({ description: 'The generation; null when none was begun.' }),
    documents: count.meta({ description: 'Written by this wave.' }),
    chunks: count,
    embedded: count.meta({ description: 'Chunks that the embedder was asked for; the rest were known.' }),
    quarantined: count,
    failed: count,
    failure_reason: z.string().nullable(),
    degraded: z.array(z.string()),
    outcome: z.enum(waveOutcomes).nullable(),
  })
  .meta({ id: 'WaveResult' });
export type WaveResult = z.output<typeof waveResultSchema>;

const waveProgressSchema = z
  .object({
    items: count,
    done: count,
    quarantined: count,
    failed: count,
    chunks: count,
  })
  .meta({ id: 'WaveProgress' });
export type WaveProgress = z.output<typeof waveProgressSchema>;

export const waveSchema = z
  .object({
    id: z.uuid(),
    project: z.string(),
    name: z.string(),
    kind: z.enum(waveKinds),
    actor: z.string(),
    trigger: z.enum(waveTriggers),
    request: waveRequestSchema,
    phase: z.enum(wavePhases),
    paused: z.boolean(),
    plan: wavePlanSchema.nullable(),
    approved_by: z.string().nullable(),
    progress: waveProgressSchema.nullable(),
    result: waveResultSchema,
    evidence: z.array(evidenceSchemaOf(wavePhases, 'WaveEvidence')),
    workflow_id: z.string(),
    run_id: z.string().nullable(),
    run_url: z.string().nullable(),
    requested_at: z.iso.datetime(),
    closed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Wave' });
export type Wave = z.output<typeof waveSchema>;

/** What became of one document, for those that are not simply written. */
export const waveItemSchema = z
  .object({
    source: z.string(),
    path: z.string(),
    change: z.enum(['added', 'changed', 'moved', 'removed']),
    state: z.enum(['planned', 'stored', 'written', 'failed', 'quarantined']),
    reason: z.string().nullable(),
  })
  .meta({ id: 'WaveItem' });

/** Row W9: what a push, a schedule or an agent may ask for. */
export const refreshRequestSchema = waveRequestFields
  .pick({ name: true, sources: true, dry_run: true })
  .meta({ id: 'RefreshRequest' });

export const webhookSecretSchema = z
  .object({ project: z.string(), resolved_by: z.string(), path: z.string(), secret: z.string(), enabled: z.boolean() })
  .meta({ id: 'WebhookSecret' });

export const generationSchema = z
  .object({
    number: count,
    parent: count,
    state: z.enum(['writing', 'proved', 'committed', 'rolled_back', 'discarded', 'swept']),
    visible: z.boolean(),
    wave_id: z.uuid(),
    collection: z.string(),
    identity: z.string(),
    documents: count.nullable(),
    chunks: count.nullable(),
    begun_at: z.iso.datetime(),
    ended_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Generation' });
export type Generation = z.output<typeof generationSchema>;

export const rollbackRequestSchema = z
  .strictObject({
    number: z
      .number()
      .int()
      .min(1)
      .optional()
      .meta({ description: 'What is meant to be undone; default: what is visible.' }),
    reason: z.string().trim().min(1).max(500),
  })
  .meta({ id: 'ProjectRollbackRequest' });

export const rollbackSchema = z
  .object({ project: z.string(), number: count, visible: count, held: z.boolean(), doomed: z.array(count) })
  .meta({ id: 'ProjectRollback' });

export const waveCommandRequestSchema = z
  .strictObject({ reason: z.string().min(1).max(500).optional() })
  .meta({ id: 'WaveCommandRequest' });
