// The interface words of rows D4, D5, D7 and D8. They are stored, answered and scripted against: never rename one.

export const outcomes = [
  'refused',
  'promoted',
  'promoted_degraded',
  'discarded',
  'rolled_back',
  'rollback_denied',
  'rollback_failed',
  'stopped_no_target',
  'aborted',
] as const;
export type Outcome = (typeof outcomes)[number];

export const failureClasses = ['deploy_failure', 'watchdog_failure', 'health_failure'] as const;
export type FailureClass = (typeof failureClasses)[number];

export const deploymentContexts = ['self_hosted', 'external'] as const;
export type DeploymentContext = (typeof deploymentContexts)[number];

export const policyStatuses = ['not_evaluated', 'allowed', 'denied'] as const;
export type PolicyStatus = (typeof policyStatuses)[number];

export const policyReasons = [
  'safe_mode_active',
  'automatic_rollback_already_used',
  'override_denied',
  'override_allowed',
  'rollback_disabled_for_deploy_failure',
  'rollback_disabled_for_watchdog_failure',
  'rollback_disabled_for_health_failure',
  'rollback_executor_missing',
  'rollback_target_required_for_external_context',
  'rollback_target_unspecified',
  'rollback_target_same_as_deployed',
  'rollback_target_known_bad',
  'rollback_target_missing',
  'rollback_target_schema_incompatible',
  'rollback_target_validated',
  'approval_denied',
  'approval_timeout',
] as const;
export type PolicyReason = (typeof policyReasons)[number];

/** Row D3, in the order of the default chain. */
export const releaseSources = ['request', 'registry', 'runtime', 'runtime_logs', 'git', 'command'] as const;
export type ReleaseSource = (typeof releaseSources)[number];

/** The steps of a deploy, in the order in which they happen. */
export const phases = [
  'requested',
  'lock',
  'resolve',
  'guard',
  'build',
  'cut_over',
  'watch',
  'switch',
  'traffic_watch',
  'rollback_policy',
  'approval',
  'rollback',
  'rollback_watch',
  'promote',
  'closed',
] as const;
export type Phase = (typeof phases)[number];

/** Row D13: what an `error` event names as the part that failed. */
export const eventPhases = ['deploy', 'watchdog', 'health', 'rollback_policy', 'rollback'] as const;
export type EventPhase = (typeof eventPhases)[number];

/** Which part of the pipeline a failure class belongs to in the audit. */
export const eventPhaseOf: Readonly<Record<FailureClass, EventPhase>> = {
  deploy_failure: 'deploy',
  watchdog_failure: 'watchdog',
  health_failure: 'health',
};

/** Row D1. */
export const drivers = ['process', 'docker', 'command'] as const;
export type DriverName = (typeof drivers)[number];

/** Row D9. */
export const overrideActions = ['allow', 'deny', 'choose_target', 'extend_window', 'abort'] as const;
export type OverrideAction = (typeof overrideActions)[number];

/** Row D11: which cut-over happened. `command`: the operator's own, of which only the end is seen. */
export const cutOvers = ['start_first', 'stop_first', 'command'] as const;
export type CutOver = (typeof cutOvers)[number];

export const deployKinds = ['deploy', 'rollback'] as const;
export type DeployKind = (typeof deployKinds)[number];
