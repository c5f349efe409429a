import { z } from 'zod';
import { newTokenSchema, tokenRequestSchema, tokenSchema } from '../domain/access.ts';
import type { ActionName } from '../domain/action.ts';
import { overrideRequestSchema, overrideSchema } from '../domain/deploy/override-schemas.ts';
import { policySchema, policyTestQuery, policyTestSchema } from '../domain/deploy/policy-schemas.ts';
import { serviceHealthSchema } from '../domain/deploy/probe.ts';
import { deployRequestSchema, deploySchema } from '../domain/deploy/schemas.ts';
import { eventSchema } from '../domain/event.ts';
import { healthSchema } from '../domain/health.ts';
import { logPageSchema, logQuery } from '../domain/log.ts';
import { releaseSchema, serviceName, serviceSchema, serviceSpecSchema } from '../domain/service.ts';
import { pageOf, runSchema } from '../domain/answer.ts';
import { pageQuery } from './page.ts';

/** What goes in and comes out of an action; method, path and role are in the table of actions. */
export interface Operation {
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answers: Readonly<Record<number, { readonly description: string; readonly schema?: z.ZodType }>>;
  /** Media types of the first answer besides JSON, or instead of it. */
  readonly text?: 'text/event-stream' | 'text/plain';
}

const named = z.object({ name: serviceName });
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
