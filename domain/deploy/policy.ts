import {
  deploymentContexts,
  failureClasses,
  type DeploymentContext,
  type FailureClass,
  type PolicyReason,
  type PolicyStatus,
} from './words.ts';

/** May a failure of this class, in this context, be rolled back automatically? Data, per service (row D8). */
export type RollbackMatrix = Readonly<Record<FailureClass, Readonly<Record<DeploymentContext, boolean>>>>;

export const defaultRollbackMatrix: RollbackMatrix = {
  deploy_failure: { self_hosted: true, external: false },
  watchdog_failure: { self_hosted: true, external: true },
  health_failure: { self_hosted: true, external: true },
};

/** What the registry knows of the release a rollback would go to. */
export type TargetStanding = 'usable' | 'known_bad' | 'missing' | 'schema_incompatible';

export interface RollbackFacts {
  readonly failure_class: FailureClass;
  readonly deployment_context: DeploymentContext;
  readonly safe_mode: boolean;
  readonly automatic_rollback_used: boolean;
  readonly override: { readonly action: 'allow' | 'deny'; readonly force: boolean } | null;
  readonly enabled: boolean;
  readonly has_executor: boolean;
  readonly deployed_release_id: string;
  readonly target: RollbackTarget | null;
}

export interface RollbackTarget {
  readonly release_id: string;
  /** What no force lifts comes first: of a known bad release whose bits are gone, `missing`. */
  readonly standing: TargetStanding;
  /** Also of one whose standing says something else first. */
  readonly known_bad?: boolean;
}

export interface RollbackDecision {
  readonly status: Exclude<PolicyStatus, 'not_evaluated'>;
  readonly reason: PolicyReason;
  /** null: no target to judge. */
  readonly target_valid: boolean | null;
  /** What may be executed; `stop` is the failed release taken down with nothing to go back to. */
  readonly action: 'roll_back' | 'stop' | 'nothing';
}

/** The whole of row D8 in its order: the first rule that matches wins. Decided, and recorded, before anything is executed. */
export function decideRollback(facts: RollbackFacts): RollbackDecision {
  if (facts.safe_mode) return denied('safe_mode_active', targetValidity(facts));
  if (facts.automatic_rollback_used) return denied('automatic_rollback_already_used', targetValidity(facts));
  if (facts.override?.action === 'deny') return denied('override_denied', targetValidity(facts));

  const overridden = facts.override?.action === 'allow';
  if (!facts.enabled && !overridden) {
    return denied(`rollback_disabled_for_${facts.failure_class}`, targetValidity(facts));
  }
  if (!facts.has_executor) return denied('rollback_executor_missing', targetValidity(facts));
  if (facts.target === null) {
    return facts.deployment_context === 'external'
      ? denied('rollback_target_required_for_external_context', false)
      : { status: 'allowed', reason: 'rollback_target_unspecified', target_valid: null, action: 'stop' };
  }
  const problem = targetProblem(facts);
  if (problem !== null) return denied(problem, false);
  return {
    status: 'allowed',
    reason: overridden ? 'override_allowed' : 'rollback_target_validated',
    target_valid: true,
    action: 'roll_back',
  };
}

/** A rollback that needs approval (row D9): what the wait came to. */
export type Approval = 'not_required' | 'approved' | 'denied' | 'timed_out_allow' | 'timed_out_deny';

/** What is left of an allowed rollback once a person, or the time, has spoken. */
export function decideApproval(decision: RollbackDecision, approval: Approval): RollbackDecision {
  if (decision.status === 'denied' || decision.action !== 'roll_back') return decision;
  if (approval === 'denied') return { ...decision, status: 'denied', reason: 'approval_denied', action: 'nothing' };
  if (approval === 'timed_out_deny') {
    return { ...decision, status: 'denied', reason: 'approval_timeout', action: 'nothing' };
  }
  return decision;
}

/** A line of `holdfast policy test`: what would be decided, with nothing done. */
export interface PolicyCase {
  readonly failure_class: FailureClass;
  readonly deployment_context: DeploymentContext;
  readonly target_release_id: string | null;
  readonly target_standing: TargetStanding | null;
  readonly decision: RollbackDecision;
}

/** Every class × context × target: the same decision that a deploy would make. */
export function policyCases(
  facts: Omit<RollbackFacts, 'failure_class' | 'deployment_context' | 'enabled' | 'target'>,
  matrix: RollbackMatrix,
  targets: readonly RollbackFacts['target'][],
): readonly PolicyCase[] {
  return failureClasses.flatMap((failure_class) =>
    deploymentContexts.flatMap((deployment_context) =>
      targets.map((target) => ({
        failure_class,
        deployment_context,
        target_release_id: target?.release_id ?? null,
        target_standing: target?.standing ?? null,
        decision: decideRollback({
          ...facts,
          ...{ failure_class, deployment_context, target },
          enabled: matrix[failure_class][deployment_context],
        }),
      })),
    ),
  );
}

/** What no override lifts, but for a known bad target that an admin forces (row D9). */
function targetProblem({ target, deployed_release_id, override }: RollbackFacts): PolicyReason | null {
  if (target === null) return null;
  if (target.release_id === deployed_release_id) return 'rollback_target_same_as_deployed';
  const forced = override?.action === 'allow' && override.force;
  if ((target.known_bad === true || target.standing === 'known_bad') && !forced) return 'rollback_target_known_bad';
  if (target.standing === 'missing') return 'rollback_target_missing';
  if (target.standing === 'schema_incompatible') return 'rollback_target_schema_incompatible';
  return null;
}

function targetValidity(facts: RollbackFacts): boolean | null {
  return facts.target === null ? null : targetProblem(facts) === null;
}

function denied(reason: PolicyReason, target_valid: boolean | null): RollbackDecision {
  return { status: 'denied', reason, target_valid, action: 'nothing' };
}
