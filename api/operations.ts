import { z } from 'zod';
import { newTokenSchema, tokenRequestSchema, tokenSchema } from '../domain/access.ts';
import type { ActionName } from '../domain/action.ts';
import { overrideRequestSchema, overrideSchema } from '../domain/deploy/override-schemas.ts';
import { policySchema, policyTestQuery, policyTestSchema } from '../domain/deploy/policy-schemas.ts';
import { serviceHealthSchema } from '../domain/deploy/probe.ts';
import { deployRequestSchema, deploySchema } from '../domain/deploy/schemas.ts';
import { evaluationRequestSchema, evaluationSchema } from '../domain/evaluation/schemas.ts';
import { eventSchema } from '../domain/event.ts';
import { healthSchema } from '../domain/health.ts';
import { logPageSchema, logQuery } from '../domain/log.ts';
import { projectName } from '../domain/project/names.ts';
import {
  questionSetName,
  questionSetRequestSchema,
  questionSetSchema,
  questionSetsSchema,
} from '../domain/project/question-set.ts';
import {
  approvalRequestSchema,
  foundProjectSchema,
  foundProposalSchema,
  projectSchema,
  proposalRequestSchema,
  proposalSchema,
  proposalStates,
  refinementRequestSchema,
  rejectionRequestSchema,
  templateSchema,
  withdrawalRequestSchema,
} from '../domain/project/schemas.ts';
import { importRequestSchema, importResultSchema, transferLineSchema } from '../domain/project/transfer.ts';
import { searchAnswerSchema, searchRequestSchema } from '../domain/search/schemas.ts';
import { releaseSchema, serviceName, serviceSchema, serviceSpecSchema } from '../domain/service.ts';
import { pageOf, runSchema } from '../domain/answer.ts';
import { backupOperations } from './backup-operations.ts';
import { offsiteOperations } from './offsite-operations.ts';
import { restoreOperations } from './restore-operations.ts';
import { pageQuery } from './page.ts';
import { waveOperations } from './wave-operations.ts';
import { drillOperations } from './drill-operations.ts';
import { memoryOperations } from './memory-operations.ts';
import { sourceOperations } from './source-operations.ts';

/** What goes in and comes out of an action; method, path and role are in the table of actions. */
export interface Operation {
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answers: Readonly<Record<number, { readonly description: string; readonly schema?: z.ZodType }>>;
  /** Media types of the first answer besides JSON, or instead of it. */
  readonly text?: 'text/event-stream' | 'text/plain';
  /** The body is bytes of any length, which the handler reads as they come; no idempotency key can stand for them. */
  readonly bytes?: boolean;
}

const named = z.object({ name: serviceName });
const ofProject = z.object({ id: projectName });
const ofQuestionSet = ofProject.extend({ name: questionSetName });
const ofProposal = z.object({ id: z.uuid() });
export const operations = {
  health_show: {
    summary: 'What is well and what is not; 200 also when degraded',
    answers: { 200: { description: 'The state of each part', schema: healthSchema } },
  },
  metrics_show: {
    summary: 'Metrics in the Prometheus text format',
    answers: { 200: { description: 'Metrics' } },
    text: 'text/plain',
  },
  service_register: {
    summary: 'Register a service, or change how it is registered',
    params: named,
    body: serviceSpecSchema,
    answers: {
      200: { description: 'Changed', schema: serviceSchema },
      201: { description: 'Registered', schema: serviceSchema },
    },
  },
  service_list: {
    summary: 'Services by name',
    query: pageQuery,
    answers: { 200: { description: 'A page', schema: pageOf(serviceSchema, 'ServicePage') } },
  },
  service_show: {
    summary: 'One service',
    params: named,
    answers: { 200: { description: 'The service', schema: serviceSchema } },
  },
  service_stop: {
    summary: 'Stop a service and keep it stopped',
    params: named,
    answers: { 202: { description: 'The run that stops it', schema: runSchema } },
  },
  safe_mode_clear: {
    summary: 'Allow automatic actions on a service again',
    params: named,
    answers: { 204: { description: 'Not in safe mode' } },
  },
  log_read: {
    summary: 'The log of a service: its last lines, or from a cursor on',
    params: named,
    query: logQuery,
    answers: { 200: { description: 'A piece of the log', schema: logPageSchema } },
  },
  service_health: {
    summary: 'Ask the probes of a service now',
    params: named,
    answers: { 200: { description: 'What they found', schema: serviceHealthSchema } },
  },
  policy_show: {
    summary: 'The policy of a service: what is rolled back, who must agree, when nothing is deployed',
    params: named,
    answers: { 200: { description: 'The policy', schema: policySchema } },
  },
  policy_test: {
    summary: 'What would be decided for each failure class, context and target; nothing is done',
    params: named,
    query: policyTestQuery,
    answers: { 200: { description: 'The decisions', schema: policyTestSchema } },
  },
  release_list: {
    summary: 'Releases of a service, newest first',
    params: named,
    answers: { 200: { description: 'All of them', schema: pageOf(releaseSchema, 'ReleasePage') } },
  },
  deploy_start: {
    summary: 'Deploy a service, or roll it back',
    params: named,
    body: deployRequestSchema,
    answers: { 202: { description: 'The deploy that was started', schema: deploySchema } },
  },
  deploy_list: {
    summary: 'Deploys of a service, newest first, without their evidence',
    params: named,
    query: pageQuery,
    answers: { 200: { description: 'A page', schema: pageOf(deploySchema, 'DeployPage') } },
  },
  deploy_show: {
    summary: 'One deploy with its evidence; as an event stream: each change until it is closed',
    params: z.object({ id: z.uuid() }),
    answers: { 200: { description: 'The deploy', schema: deploySchema } },
    text: 'text/event-stream',
  },
  deploy_override: {
    summary: 'Say to a deploy that runs: allow, deny, choose another target, extend the window, abort',
    params: z.object({ id: z.uuid() }),
    body: overrideRequestSchema,
    answers: { 200: { description: 'The override, accepted', schema: overrideSchema } },
  },
  template_list: {
    summary: 'What a proposal may start from',
    answers: { 200: { description: 'All of them', schema: pageOf(templateSchema, 'ProjectTemplatePage') } },
  },
  project_propose: {
    summary: 'Propose a new project; somebody else approves it',
    body: proposalRequestSchema,
    answers: { 201: { description: 'The proposal', schema: proposalSchema } },
  },
  proposal_list: {
    summary: 'Proposals of projects and refinements, newest first',
    query: pageQuery.extend({ state: z.enum(proposalStates).optional(), project: projectName.optional() }),
    answers: { 200: { description: 'A page', schema: pageOf(proposalSchema, 'ProjectProposalPage') } },
  },
  proposal_show: {
    summary: 'One proposal, and what was decided about it',
    params: ofProposal,
    answers: { 200: { description: 'The proposal', schema: proposalSchema } },
  },
  proposal_approve: {
    summary: 'Put a proposal into force; who proposed it does not',
    params: ofProposal,
    body: approvalRequestSchema,
    answers: { 200: { description: 'The proposal, approved', schema: proposalSchema } },
  },
  proposal_reject: {
    summary: 'Decide against a proposal',
    params: ofProposal,
    body: rejectionRequestSchema,
    answers: { 200: { description: 'The proposal, rejected', schema: proposalSchema } },
  },
  proposal_withdraw: {
    summary: "Take back one's own proposal",
    params: ofProposal,
    body: withdrawalRequestSchema,
    answers: { 200: { description: 'The proposal, withdrawn', schema: proposalSchema } },
  },
  project_list: {
    summary: 'Approved projects by id',
    query: pageQuery,
    answers: { 200: { description: 'A page', schema: pageOf(projectSchema, 'ProjectPage') } },
  },
  project_show: {
    summary: 'One project, by its id or an alias',
    params: ofProject,
    answers: { 200: { description: 'The project', schema: foundProjectSchema } },
  },
  project_refine_propose: {
    summary: 'Propose another version of a project; what is not named stays as it is',
    params: ofProject,
    body: refinementRequestSchema,
    answers: { 201: { description: 'The proposal', schema: foundProposalSchema } },
  },
  question_set_list: {
    summary: 'Question sets of a project',
    params: ofProject,
    answers: { 200: { description: 'All of them', schema: questionSetsSchema } },
  },
  question_set_show: {
    summary: 'One question set with its questions',
    params: ofQuestionSet,
    answers: { 200: { description: 'The question set', schema: questionSetSchema } },
  },
  question_set_put: {
    summary: 'Store a question set, whole',
    params: ofQuestionSet,
    body: questionSetRequestSchema,
    answers: {
      200: { description: 'Stored', schema: questionSetSchema },
      201: { description: 'Stored for the first time', schema: questionSetSchema },
    },
  },
  export_read: {
    summary: 'What is registered, line by line, as import takes it',
    query: pageQuery,
    answers: { 200: { description: 'A page of lines', schema: pageOf(transferLineSchema, 'ExportPage') } },
  },
  import_apply: {
    summary: 'Take over lines of an export: registrations as proposals, question sets of approved projects',
    body: importRequestSchema,
    answers: { 200: { description: 'What became of each line', schema: importResultSchema } },
  },
  ...waveOperations,
  ...sourceOperations,
  ...drillOperations,
  ...memoryOperations,
  ...backupOperations,
  ...offsiteOperations,
  ...restoreOperations,
  search: {
    summary: 'Search the projects that are named, and no others: by meaning and by words, best first',
    body: searchRequestSchema,
    answers: { 200: { description: 'What was found, and what was degraded', schema: searchAnswerSchema } },
  },
  evaluation_start: {
    summary: 'Measure the answers to a question set of a project, or to a public collection in a folder',
    body: evaluationRequestSchema,
    answers: { 202: { description: 'The evaluation that was started', schema: evaluationSchema } },
  },
  evaluation_list: {
    summary: 'Evaluations, newest first, without their single questions',
    query: pageQuery.extend({
      subject: z
        .string()
        .min(1)
        .max(200)
        .optional()
        .meta({ examples: ['collection/cranfield'] }),
    }),
    answers: { 200: { description: 'A page', schema: pageOf(evaluationSchema, 'EvaluationPage') } },
  },
  evaluation_show: {
    summary: 'One evaluation: how far it is, and once its state is done, the table',
    params: z.object({ id: z.uuid() }),
    answers: { 200: { description: 'The evaluation', schema: evaluationSchema } },
  },
  event_list: {
    summary: 'The audit, oldest first',
    query: pageQuery.extend({
      subject: z
        .string()
        .min(1)
        .max(200)
        .optional()
        .meta({ examples: ['service/web'] }),
    }),
    answers: { 200: { description: 'A page', schema: pageOf(eventSchema, 'EventPage') } },
  },
  token_create: {
    summary: 'Make a token; its secret is shown this once',
    body: tokenRequestSchema,
    answers: { 201: { description: 'The token', schema: newTokenSchema } },
  },
  token_list: {
    summary: 'Tokens, without their secrets',
    query: pageQuery,
    answers: { 200: { description: 'A page', schema: pageOf(tokenSchema, 'TokenPage') } },
  },
  token_revoke: {
    summary: 'Revoke a token',
    params: z.object({ id: z.string().regex(/^[0-9a-f]{12}$/, 'the id of a token') }),
    answers: { 204: { description: 'Revoked' } },
  },
} as const satisfies Record<ActionName, Operation>;
