import { z } from 'zod';
import { releaseId } from './schemas.ts';
import { deploymentContexts, failureClasses, policyReasons, releaseSources } from './words.ts';

const decisionSchema = z
  .object({
    status: z.enum(['allowed', 'denied']),
    reason: z.enum(policyReasons),
    target_valid: z.boolean().nullable(),
    action: z.enum(['roll_back', 'stop', 'nothing']),
  })
  .meta({ id: 'RollbackDecision' });

const matrix = z.record(z.enum(failureClasses), z.record(z.enum(deploymentContexts), z.boolean()));

/** Row D8: what a service's policy is, with everything that a decision also looks at. */
export const policySchema = z
  .object({
    service: z.string(),
    deployment_context: z.enum(deploymentContexts),
    rollback_on: matrix,
    approval: z.object({ required: z.boolean(), timeout_ms: z.number(), default: z.enum(['allow', 'deny']) }),
    accept_no_rollback: z.boolean(),
    freeze: z.array(
      z.object({ from: z.string(), to: z.string(), days: z.array(z.string()).optional(), reason: z.string() }),
    ),
    recovery_point_max_age_ms: z.number().nullable(),
    least_free_disk_bytes: z.number(),
    safe_mode: z.boolean(),
    has_executor: z.boolean(),
    release_sources: z.array(z.enum(releaseSources)),
    deployed_release_id: z.string().nullable(),
    rollback_target_release_id: z
      .string()
      .nullable()
      .meta({ description: 'Where a failure of what runs now would go back to.' }),
    next_rollback_target_release_id: z
      .string()
      .nullable()
      .meta({ description: 'Where a failure of the next deploy would go back to.' }),
  })
  .meta({ id: 'Policy' });
export type Policy = z.output<typeof policySchema>;

export const policyTestQuery = z.object({
  of: z
    .enum(['running', 'next'])
    .default('running')
    .meta({ description: 'A failure of what runs now, or of the next deploy, whose schema is not known yet.' }),
  target: releaseId.optional().meta({ description: 'Another target to be judged besides.' }),
});

export type PolicyTestQuery = z.output<typeof policyTestQuery>;

/** What would be decided for each class × context × target; nothing is done. */
export const policyTestSchema = z
  .object({
    service: z.string(),
    cases: z.array(
      z.object({
        failure_class: z.enum(failureClasses),
        deployment_context: z.enum(deploymentContexts),
        target_release_id: z.string().nullable(),
        target_standing: z.enum(['usable', 'known_bad', 'missing', 'schema_incompatible']).nullable(),
        decision: decisionSchema,
      }),
    ),
  })
  .meta({ id: 'PolicyTest' });
export type PolicyTest = z.output<typeof policyTestSchema>;
