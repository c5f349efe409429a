import type { DeployRequest, DeployResult } from './schemas.ts';
import type { DeploymentContext } from './words.ts';

/** What a deploy can say of itself before its first step. */
export function emptyResult(request: DeployRequest, serviceContext: DeploymentContext): DeployResult {
  return {
    requested_release_id: request.requested_release_id ?? null,
    previous_release_id: request.previous_release_id ?? null,
    rollback_release_id: request.rollback_release_id ?? null,
    deployment_context: request.deployment_context ?? serviceContext,
    deployed_release_id: null,
    rollback_target_release_id: null,
    release_metadata_source: null,
    release_metadata_skipped: [],
    cut_over: null,
    rollback_performed: false,
    rollback_succeeded: null,
    rollback_policy_status: 'not_evaluated',
    rollback_policy_reason: null,
    rollback_target_valid: null,
    failure_class: null,
    failure_reason: null,
    outcome: null,
  };
}
