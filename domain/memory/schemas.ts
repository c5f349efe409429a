import { z } from 'zod';
import { projectName } from '../project/names.ts';
import { memoryStates, memoryTypes, provenanceKinds } from './words.ts';

export const memoryType = z
  .enum(memoryTypes, { error: `one of ${memoryTypes.join(', ')}` })
  .meta({ description: 'What it is about.' });

export const provenanceSchema = z
  .strictObject({
    kind: z.enum(provenanceKinds, { error: `one of ${provenanceKinds.join(', ')}` }),
    uri: z.string().min(1).max(2_000).optional().meta({ description: 'Where it can be read again.' }),
    reference: z.string().min(1).max(200).optional().meta({ description: 'A session, a message, a run.' }),
  })
  .meta({ id: 'Provenance', description: 'Where a memory comes from.' });
export type Provenance = z.output<typeof provenanceSchema>;

export const memoryRequestSchema = z
  .strictObject({
    type: memoryType,
    text: z.string().trim().min(1).max(4_000),
    project: projectName.optional().meta({ description: 'Whose it is; left out: of no project.' }),
    provenance: provenanceSchema,
    confidence: z.number().min(0).max(1).default(1).meta({ description: 'How sure it is: 0 to 1.' }),
    supersedes: z.uuid().optional().meta({ description: 'The memory of the same project whose place it takes.' }),
    expires_at: z.iso.datetime().optional().meta({ description: 'From then on it is not found any more.' }),
  })
  .refine(({ type, project }) => type !== 'project' || project !== undefined, {
    path: ['project'],
    message: 'a memory of type project names its project',
  })
  .meta({ id: 'MemoryRequest' });

export const memorySchema = z
  .object({
    id: z.uuid(),
    type: memoryType,
    project: z.string().nullable().meta({ description: 'null: of no project.' }),
    text: z.string(),
    provenance: provenanceSchema,
    confidence: z.number(),
    supersedes: z.uuid().nullable(),
    superseded_by: z.uuid().nullable(),
    state: z.enum(memoryStates),
    actor: z.string().meta({ description: 'Who wrote it down.' }),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Memory' });
export type Memory = z.output<typeof memorySchema>;

export const createdMemorySchema = memorySchema
  .extend({
    indexed: z.boolean().meta({
      description: 'Whether a search finds it already; else it is kept, and found once what was away is back.',
    }),
  })
  .meta({ id: 'CreatedMemory' });

export const forgetRequestSchema = z.strictObject({ reason: z.string().trim().min(1).max(500).optional() }).meta({
  id: 'ForgetRequest',
});

export const forgottenMemorySchema = z
  .object({
    id: z.uuid(),
    forgotten_at: z.iso.datetime(),
    point: z.enum(['removed', 'pending']).meta({
      description:
        '`pending`: Qdrant is away; without its row the point is never answered, and it goes when Qdrant is back.',
    }),
  })
  .meta({ id: 'ForgottenMemory' });
export type ForgottenMemory = z.output<typeof forgottenMemorySchema>;

export const memorySearchRequestSchema = z
  .strictObject({
    query: z.string().trim().min(1).max(4_000),
    projects: z.array(projectName).max(20).default([]).meta({
      description: 'Ids or aliases. Memories of other projects are not answered; those of no project are, besides.',
    }),
    types: z.array(memoryType).min(1).optional().meta({ description: 'Only these; default: all.' }),
    limit: z.number().int().min(1).max(100).default(10),
  })
  .meta({ id: 'MemorySearchRequest' });

/** Why an answer is less than it could be. */
const degradedReasons = [
  /** Memories are not embedded here: found by words alone. */
  'lexical_only',
  /** The question could not be embedded: found by words alone. */
  'embedder_unavailable',
  /** Qdrant does not answer, or has no memories yet: found by words in the rows. */
  'candidates_unavailable',
  /** Some memories are not embedded yet: a search by meaning does not find them. */
  'not_indexed',
] as const;

export const memoryDegradedSchema = z
  .object({ reason: z.enum(degradedReasons), detail: z.string() })
  .meta({ id: 'MemoryDegraded' });
export type MemoryDegraded = z.output<typeof memoryDegradedSchema>;

const memoryHitSchema = memorySchema
  .extend({ score: z.number().meta({ description: 'By reciprocal ranks: compares hits of one answer only.' }) })
  .meta({ id: 'MemoryHit' });

export const memorySearchAnswerSchema = z
  .object({ query: z.string(), hits: z.array(memoryHitSchema), degraded: z.array(memoryDegradedSchema) })
  .meta({ id: 'MemorySearchAnswer' });
export type MemorySearchAnswer = z.output<typeof memorySearchAnswerSchema>;
