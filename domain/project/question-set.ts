import { z } from 'zod';
import { resolvedBy } from './names.ts';

export const questionSetName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens, at most 63')
  .meta({ description: 'The name of a question set within its project.', examples: ['canary'] });

const relevant = z.strictObject({
  source: z.string().max(63).nullable().default(null).meta({ description: 'null: whichever source has the path.' }),
  path: z.string().min(1).max(4_096),
  heading: z.string().max(1_000).nullable().default(null).meta({ description: 'Only below this heading.' }),
  grade: z.number().int().min(1).max(10).default(1),
});

const question = z.strictObject({
  id: z.string().min(1).max(100),
  query: z.string().trim().min(1).max(2_000),
  relevant: z.array(relevant).min(1).max(1_000),
  forbidden: z.array(z.string().trim().min(1).max(200)).max(50).optional().meta({
    description:
      'Words that no hit may hold, in upper or lower case: what would be a leak, even out of the project itself.',
  }),
});
export type Question = z.output<typeof question>;

export const questionsSchema = z
  .array(question)
  .min(1)
  .max(10_000)
  .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, 'two questions of one id');

export const questionSetRequestSchema = z
  .strictObject({ questions: questionsSchema })
  .meta({ id: 'QuestionSetRequest' });

/** Row C9: questions of a project, and what answers them. */
export const questionSetSchema = z
  .object({
    project: z.string(),
    name: questionSetName,
    questions: z.array(question),
    resolved_by: resolvedBy,
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'QuestionSet' });
export type QuestionSet = z.output<typeof questionSetSchema>;

/** All question sets of a project, without their questions. */
export const questionSetsSchema = z
  .object({
    project: z.string(),
    resolved_by: resolvedBy,
    items: z.array(z.object({ name: questionSetName, questions: z.number().int(), updated_at: z.iso.datetime() })),
    next_cursor: z.null(),
  })
  .meta({ id: 'QuestionSets' });
