import { z } from 'zod';
import { canonicalJson } from '../canonical-json.ts';
import { uuidv5 } from '../uuid.ts';
import { projectId } from './names.ts';
import { questionSetName, questionsSchema } from './question-set.ts';
import { givenSpecSchema, type ProjectSpec } from './schemas.ts';

const externalId = z
  .string()
  .min(1)
  .max(200)
  .optional()
  .meta({ description: 'What whoever made the file calls it; the same again is the same thing.' });

const registrationLine = z.strictObject({
  kind: z.literal('registration'),
  external_id: externalId,
  project: projectId,
  version: z.number().int().min(1).optional().meta({ description: 'Where it was exported; not taken over.' }),
  template: z.string().max(63).nullable().optional(),
  spec: givenSpecSchema,
  reason: z.string().max(2_000).nullable().optional(),
});
export type RegistrationLine = z.output<typeof registrationLine>;

const questionSetLine = z.strictObject({
  kind: z.literal('question_set'),
  external_id: externalId,
  project: projectId,
  name: questionSetName,
  questions: questionsSchema,
});
export type QuestionSetLine = z.output<typeof questionSetLine>;

/** Row C11: one line of a file of JSON Lines. */
export const transferLineSchema = z
  .discriminatedUnion('kind', [registrationLine, questionSetLine])
  .meta({ id: 'TransferLine' });
export type TransferLine = z.output<typeof transferLineSchema>;

export const importRequestSchema = z
  .strictObject({
    dry_run: z.boolean().default(false).meta({ description: 'Says what would be done, and does nothing.' }),
    lines: z.array(z.unknown()).min(1).max(1_000).meta({
      description: 'Lines of an export. Each is judged by itself: one that is refused keeps no other one out.',
    }),
  })
  .meta({ id: 'ImportRequest' });

/**
 * `proposed`: to be approved as any other. `waiting`: its project is not approved yet; import it again then. `refused`: see
 * `detail`.
 */
export const lineOutcomes = ['proposed', 'stored', 'unchanged', 'waiting', 'refused'] as const;
export type LineOutcome = (typeof lineOutcomes)[number];

const lineResultSchema = z.object({
  line: z.number().int().meta({ description: 'Its place in the request, from 1.' }),
  kind: z.string().nullable(),
  project: z.string().nullable(),
  outcome: z.enum(lineOutcomes),
  proposal_id: z.string().nullable(),
  detail: z.string().nullable(),
});
export type LineResult = z.output<typeof lineResultSchema>;

export const importResultSchema = z
  .object({ dry_run: z.boolean(), lines: z.array(lineResultSchema) })
  .meta({ id: 'ImportResult' });

/** Any fixed uuid; another one would make what was imported before be proposed anew. */
const namespace = 'f3b1d2b4-7c1f-4f0a-8a55-0c9d1c1f7e42';

/** The same line imported again over the same version is the same proposal. */
export function importedProposalId(
  { external_id, project }: Pick<RegistrationLine, 'external_id' | 'project'>,
  baseVersion: number | null,
  spec: ProjectSpec,
): string {
  return uuidv5(namespace, canonicalJson([project, external_id ?? null, baseVersion, spec]));
}
