import { z } from 'zod';
import { projectName } from '../project/names.ts';
import { questionSetName } from '../project/question-set.ts';
import { defaultSettings } from '../search/settings.ts';
import { parts, rankers } from './report.ts';

const count = z.number().int().min(0);

/** Row C9. Of a project's question set, or of a public collection in a folder of the box. */
export const evaluationRequestSchema = z
  .strictObject({
    project: projectName.optional(),
    question_set: questionSetName.optional(),
    generation: z.number().int().min(1).optional().meta({ description: 'Default: what is visible.' }),
    against: z.array(projectName).max(10).default([]).meta({
      description: 'Projects that are asked as well: how much of the answers do they take?',
    }),
    folder: z
      .string()
      .max(4_096)
      .regex(/^\/[^\0]*$/, 'an absolute path')
      .optional()
      .meta({
        description:
          'BEIR (corpus.jsonl, queries.jsonl, qrels/*.tsv) or Cranfield; outside of the source roots for administrators only.',
      }),
    split: z
      .string()
      .regex(/^\w[\w.-]{0,50}$/, 'the name of a file of qrels')
      .optional(),
    keep: z
      .boolean()
      .default(false)
      .meta({ description: 'Keep the project that a folder is read into, to search it.' }),
    k: z.number().int().min(1).max(1_000).default(defaultSettings.k),
    depth: z.number().int().min(10).max(1_000).default(defaultSettings.depth),
    seed: z.number().int().min(0).max(4_294_967_295).default(20_260_101).meta({
      description: 'Of the randomisation test: the same seed, the same p.',
    }),
  })
  .refine(
    ({ project, question_set, folder }) =>
      (folder === undefined) === (project !== undefined && question_set !== undefined),
    {
      message: 'name a project and its question_set, or a folder',
    },
  )
  .refine(
    ({ folder, project, generation, against }) =>
      folder === undefined || (project === undefined && generation === undefined && against.length === 0),
    {
      message: 'generation, against and project are not for a folder',
    },
  )
  .meta({ id: 'EvaluationRequest' });
export type EvaluationRequest = z.output<typeof evaluationRequestSchema>;

const scoresSchema = z
  .object({ ndcg_at_10: z.number(), recall_at_10: z.number(), recall_at_100: z.number(), mrr: z.number() })
  .meta({ id: 'RetrievalScores' });

const pairedTestSchema = z.object({
  questions: count,
  difference: z.number().meta({ description: 'Mean nDCG@10 of the first less that of the second.' }),
  t: z.number().nullable(),
  t_p: z.number().nullable().meta({ description: 'Of the paired t test, two-sided.' }),
  randomised_p: z.number().meta({ description: 'Of approximate randomisation, two-sided.' }),
  rounds: count,
  seed: count,
});

const evaluationStates = ['running', 'done', 'failed'] as const;

export const evaluationResultSchema = z
  .object({
    state: z.enum(evaluationStates),
    reason: z.string().nullable().meta({ description: 'Why it failed.' }),
    progress: z.object({ documents: count, questions: count }),
    identity: z.string().nullable(),
    documents: count,
    chunks: count,
    questions: count,
    table: z.array(z.object({ part: z.enum(parts), ranker: z.enum(rankers), questions: count, scores: scoresSchema })),
    tests: z.array(
      pairedTestSchema.extend({
        part: z.enum(parts),
        first: z.enum(rankers),
        second: z.enum(rankers),
        score: z.string(),
      }),
    ),
    leaks: z.array(
      z.object({
        question: z.string(),
        project: z.string(),
        where: z.enum(['answer', 'candidate']),
        term: z.string().nullish().meta({ description: 'What the question forbids; null: the project itself.' }),
      }),
    ),
    trusted_share: z.number().nullable().meta({ description: 'Of the ten best hits, how many are trusted views.' }),
    own_share: z
      .number()
      .nullable()
      .meta({ description: 'With `against`: of the ten best hits, how many are its own.' }),
    meta_share: z
      .number()
      .nullable()
      .meta({ description: "With Holdfast's own documents in `against`: of the ten best hits, how many are of them." }),
    ambiguity: z.number().nullable().meta({
      description:
        'With `against`: how evenly the projects share the ten best hits of a question: 0 all of one, 1 alike.',
    }),
    bounds: z
      .array(z.object({ name: z.string(), bound: z.number(), value: z.number(), ok: z.boolean() }))
      .meta({ description: "What the project's policy holds these figures against." }),
    degraded: z.array(z.string()),
    kept_project: z.string().nullable(),
    since: pairedTestSchema
      .extend({ evaluation: z.uuid(), at: z.iso.datetime(), ranker: z.enum(rankers) })
      .nullable()
      .meta({ description: 'Against the last evaluation of the same subject, on the questions of both.' }),
    answered: z
      .array(
        z.object({
          id: z.string(),
          number: count,
          scores: z.partialRecord(z.enum(rankers), scoresSchema),
        }),
      )
      .meta({ description: 'Each question; left out in lists.' }),
  })
  .meta({ id: 'EvaluationResult' });
export type EvaluationResult = z.output<typeof evaluationResultSchema>;

export const evaluationSchema = z
  .object({
    id: z.uuid(),
    subject: z.string().meta({ examples: ['project/p04-gigabit/canary', 'collection/cranfield'] }),
    project: z.string().nullable(),
    generation: z.number().int().nullable(),
    question_set: z.string(),
    settings: z.record(z.string(), z.unknown()),
    result: evaluationResultSchema,
    actor: z.string(),
    at: z.iso.datetime(),
  })
  .meta({ id: 'Evaluation' });
export type Evaluation = z.output<typeof evaluationSchema>;

export function emptyEvaluation(): EvaluationResult {
  return {
    state: 'running',
    reason: null,
    progress: { documents: 0, questions: 0 },
    identity: null,
    ...{ documents: 0, chunks: 0, questions: 0 },
    ...{ table: [], tests: [], leaks: [], degraded: [], answered: [] },
    ...{ trusted_share: null, own_share: null, meta_share: null, ambiguity: null, bounds: [] },
    ...{ kept_project: null, since: null },
  };
}
