import { z } from 'zod';
import { boxName } from '../service.ts';
import { misfits } from './misfits.ts';
import { projectAlias, projectId, resolvedBy } from './names.ts';
import { givenPolicySchema, projectPolicySchema } from './policy.ts';
import { givenSourceSchema, sourceSpecSchema } from './source.ts';

const title = z.string().trim().min(1).max(200);
const description = z.string().max(4_000);
const aliases = z.array(projectAlias).max(50);
const box = boxName.meta({ description: "The machine that its sources are on; default: the API's own box." });
const sources = <T extends z.ZodType>(source: T) => z.array(source).min(1).max(50);

/** What a project is, every field filled in: the form that is stored and that waves read. */
export const projectSpecSchema = z
  .strictObject({ title, description, aliases, box, sources: sources(sourceSpecSchema), policy: projectPolicySchema })
  .superRefine((spec, context) => {
    for (const [path, message] of misfits(spec)) context.addIssue({ code: 'custom', path: [...path], message });
  })
  .meta({ id: 'ProjectSpec' });
export type ProjectSpec = z.output<typeof projectSpecSchema>;

/** As it is proposed. A new project takes what is left out from its template, a refinement from the version before. */
export const givenSpecSchema = z
  .strictObject({ title, description, aliases, box, sources: sources(givenSourceSchema), policy: givenPolicySchema })
  .partial()
  .meta({ id: 'GivenProjectSpec' });
export type GivenSpec = z.output<typeof givenSpecSchema>;

export const templateNames = ['plain', 'notes', 'code', 'website', 'uploads'] as const;
export type TemplateName = (typeof templateNames)[number];

const reason = z.string().trim().min(1).max(2_000);

export const proposalRequestSchema = z
  .strictObject({
    project: projectId,
    template: z.enum(templateNames).default('plain'),
    spec: givenSpecSchema,
    reason: reason.optional(),
  })
  .meta({ id: 'ProjectProposalRequest' });

export const refinementRequestSchema = z
  .strictObject({
    base_version: z
      .number()
      .int()
      .min(1)
      .meta({ description: 'The version that was read; another one by now: a 409.' }),
    spec: givenSpecSchema,
    reason,
  })
  .meta({ id: 'ProjectRefinementRequest' });

export const approvalRequestSchema = z
  .strictObject({
    self_approve: z.boolean().default(false).meta({
      description: "One's own proposal, where nobody else could approve it; recorded as self_approved.",
    }),
    reason: reason.optional(),
  })
  .meta({ id: 'ProposalApprovalRequest' });

export const rejectionRequestSchema = z.strictObject({ reason }).meta({ id: 'ProposalRejectionRequest' });
export const withdrawalRequestSchema = z
  .strictObject({ reason: reason.optional() })
  .meta({ id: 'ProposalWithdrawalRequest' });

export const proposalStates = ['proposed', 'approved', 'rejected', 'withdrawn'] as const;
export type ProposalState = (typeof proposalStates)[number];

/** Row W1: what was submitted, and what was decided about it. */
export const proposalSchema = z
  .object({
    id: z.uuid(),
    project: z.string(),
    kind: z.enum(['new', 'refinement']),
    base_version: z.number().int().nullable(),
    version: z.number().int().nullable().meta({ description: 'Given by the approval.' }),
    template: z.string().nullable(),
    spec: projectSpecSchema,
    reason: z.string().nullable(),
    state: z.enum(proposalStates),
    outdated: z
      .boolean()
      .meta({ description: 'Still open, but another registration came first: it cannot be approved.' }),
    external_id: z.string().nullable().meta({ description: 'Of an import.' }),
    proposed_by: z.string(),
    proposed_at: z.iso.datetime(),
    decided_by: z.string().nullable(),
    decided_at: z.iso.datetime().nullable(),
    decision_reason: z.string().nullable(),
    self_approved: z.boolean(),
  })
  .meta({ id: 'ProjectProposal' });
export type Proposal = z.output<typeof proposalSchema>;

/** With how the name of the project was understood. */
export const foundProposalSchema = proposalSchema
  .extend({ resolved_by: resolvedBy })
  .meta({ id: 'FoundProjectProposal' });

/** A project as the API shows it. */
export const projectSchema = z
  .object({
    project: projectId,
    version: z.number().int(),
    spec: projectSpecSchema,
    visible: z.number().int().meta({ description: 'The generation that readers see; 0: nothing was ever committed.' }),
    held: z.boolean().meta({ description: 'Rolled back by an operator who has not let go yet.' }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Project' });
export type Project = z.output<typeof projectSchema>;

/** With how the name that was asked for was understood. */
export const foundProjectSchema = projectSchema.extend({ resolved_by: resolvedBy }).meta({ id: 'FoundProject' });

export const templateSchema = z
  .object({
    name: z.enum(templateNames),
    description: z.string(),
    spec: z.record(z.string(), z.unknown()).meta({ description: 'What a proposal that leaves it out is given.' }),
  })
  .meta({ id: 'ProjectTemplate' });
