import { z } from 'zod';
import { evidenceSchemaOf } from '../evidence.ts';
import { gitRef, serviceName } from '../service.ts';
import { overrideSchema, policyOverrideSchema } from './override-schemas.ts';
import {
  cutOvers,
  deployKinds,
  deploymentContexts,
  failureClasses,
  outcomes,
  phases,
  policyReasons,
  policyStatuses,
  releaseSources,
} from './words.ts';

export const releaseId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}$/, 'the id of a release')
  .meta({
    description:
      "A release: the full id of a commit, the id of an image (`sha256:…`), or the operator's own name for it.",
  });

/** Row D4: what a caller may say of one deploy. Precedence: request, service, default. */
export const deployRequestSchema = z
  .strictObject({
    kind: z.enum(deployKinds).default('deploy'),
    ref: gitRef.optional().meta({ description: "Branch, tag or commit; default: the ref of the service's source." }),
    requested_release_id: releaseId.optional(),
    previous_release_id: releaseId.optional(),
    rollback_release_id: releaseId.optional(),
    deployment_context: z.enum(deploymentContexts).optional(),
    rollback_on_deploy_failure: z.boolean().optional(),
    rollback_on_watchdog_failure: z.boolean().optional(),
    rollback_on_health_failure: z.boolean().optional(),
    policy_override: policyOverrideSchema.optional(),
    accept_no_rollback: z.boolean().optional().meta({
      description: 'Deploy stop-first although a failure could not be rolled back.',
    }),
  })
  .refine(({ ref, requested_release_id }) => ref === undefined || requested_release_id === undefined, {
    message: 'give ref or requested_release_id, not both',
  })
  .refine(({ kind, ref }) => kind === 'deploy' || ref === undefined, {
    message: 'a rollback goes to a release, not to a ref',
  })
  .meta({ id: 'DeployRequest' });
export type DeployRequest = z.output<typeof deployRequestSchema>;

/** Row D4: what a deploy says of itself, from its first step on. */
export const deployResultSchema = z
  .object({
    requested_release_id: z.string().nullable(),
    previous_release_id: z.string().nullable(),
    rollback_release_id: z.string().nullable(),
    deployment_context: z.enum(deploymentContexts),
    deployed_release_id: z.string().nullable(),
    rollback_target_release_id: z.string().nullable(),
    release_metadata_source: z.enum(releaseSources).nullable(),
    release_metadata_skipped: z.array(z.object({ source: z.enum(releaseSources), reason: z.string() })),
    cut_over: z.enum(cutOvers).nullable(),
    rollback_performed: z.boolean(),
    rollback_succeeded: z.boolean().nullable(),
    rollback_policy_status: z.enum(policyStatuses),
    rollback_policy_reason: z.enum(policyReasons).nullable(),
    rollback_target_valid: z.boolean().nullable(),
    failure_class: z.enum(failureClasses).nullable(),
    failure_reason: z.string().nullable(),
    outcome: z.enum(outcomes).nullable(),
  })
  .meta({ id: 'DeployResult' });
export type DeployResult = z.output<typeof deployResultSchema>;

export const deploySchema = z
  .object({
    id: z.uuid(),
    service: serviceName,
    kind: z.enum(deployKinds),
    actor: z.string(),
    phase: z.enum(phases),
    result: deployResultSchema,
    workflow_id: z.string(),
    run_id: z.string().nullable(),
    run_url: z.string().nullable().meta({ description: "The run in Temporal's UI." }),
    requested_at: z.iso.datetime(),
    closed_at: z.iso.datetime().nullable(),
    evidence: z.array(evidenceSchemaOf(phases, 'Evidence')),
    overrides: z.array(overrideSchema),
  })
  .meta({ id: 'Deploy' });
export type Deploy = z.output<typeof deploySchema>;
