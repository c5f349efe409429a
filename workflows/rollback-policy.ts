import { condition } from '@temporalio/workflow';
import type { ServiceFacts } from '../activities/operations.ts';
import { targetOf } from '../domain/deploy/metadata.ts';
import { decideApproval, decideRollback, type RollbackDecision } from '../domain/deploy/policy.ts';
import type { FailureClass } from '../domain/deploy/words.ts';
import type { DeployRun, Failure } from './deploy-run.ts';
import { onBox, operations } from './proxies.ts';

/** What row D8 says of a failure of each class, by the facts as they are now, not as they were before the watch. */
export async function decisionsNow(
  run: DeployRun,
  deployed_release_id: string,
  facts: ServiceFacts,
): Promise<(failure: Pick<Failure, 'failure_class'>) => RollbackDecision> {
  const { input, journal, overrides } = run;
  const { ruling, target: chosen } = overrides.now();
  const { deployment_context, rollback_target_release_id, rollback_performed } = journal.result;
  const target = chosen?.release_id ?? rollback_target_release_id;
  const bits = target === null ? 'ok' : await onBox(input.box).verifyRelease(input.deploy_id, target);
  const deployed = facts.releases.find(({ release_id }) => release_id === deployed_release_id);
  const going = target === null ? null : targetOf(target, facts.releases, { bits, deployed });
  return ({ failure_class }) => {
    // An abort is no failure: it is put back wherever a deploy that never came up would be.
    const as: FailureClass = failure_class ?? 'deploy_failure';
    const asked = failure_class === null ? true : input.request[`rollback_on_${as}`];
    return decideRollback({
      ...{ failure_class: as, deployment_context, deployed_release_id },
      safe_mode: facts.safe_mode,
      automatic_rollback_used: rollback_performed || (input.watch !== undefined && facts.automatic_rollback_used),
      override: ruling,
      enabled: asked ?? facts.rollback_on[as][deployment_context],
      has_executor: facts.has_executor,
      target: going,
    });
  };
}

async function decideNow(run: DeployRun, failure: Failure, release_id: string): Promise<RollbackDecision> {
  const facts = await operations.serviceFacts(run.input.service, run.input.deploy_id);
  return (await decisionsNow(run, release_id, facts))(failure);
}

/** The decision, and where a service asks for approval the wait for it, recorded before anything is executed. */
export async function settleRollback(run: DeployRun, failure: Failure, release_id: string): Promise<RollbackDecision> {
  const { input, journal, overrides } = run;
  await journal.enter('rollback_policy');
  await overrides.catchUp();
  const decision = await approved(run, failure, release_id);
  const target = overrides.now().target?.release_id ?? journal.result.rollback_target_release_id;
  journal.note({
    rollback_target_release_id: target,
    rollback_policy_status: decision.status,
    rollback_policy_reason: decision.reason,
    rollback_target_valid: decision.target_valid,
  });
  const { failure_class } = failure;
  const detail = { target, release_id, failure_class, service: input.service };
  await journal.check('rollback_policy', decision.status === 'allowed', decision.reason, detail);
  return decision;
}

async function approved(run: DeployRun, failure: Failure, release_id: string): Promise<RollbackDecision> {
  const { input, journal, overrides } = run;
  const facts = await operations.serviceFacts(input.service, input.deploy_id);
  const decision = (await decisionsNow(run, release_id, facts))(failure);
  const { required, timeout_ms } = facts.approval;
  const waits = required && decision.action === 'roll_back' && decision.reason !== 'override_allowed';
  // Who aborts has said what they want.
  if (!waits || failure.failure_class === null) return decision;

  await journal.enter('approval');
  journal.show(`a rollback to ${journal.result.rollback_target_release_id} waits for approval: allow or deny`);
  const deadline = Date.now() + timeout_ms;
  while (overrides.now().ruling === null && Date.now() < deadline) {
    // Looked at again now and then: what was submitted while Temporal was away is only a row.
    const left = Math.max(1, deadline - Date.now());
    await condition(() => overrides.now().ruling !== null, Math.min(60_000, left));
    if (overrides.now().ruling === null) await overrides.catchUp();
  }
  const ruling = overrides.now().ruling?.action ?? null;
  if (ruling === 'deny') return decideApproval(decision, 'denied');
  if (ruling === 'allow') return decideNow(run, failure, release_id);
  return decideApproval(decision, facts.approval.default === 'allow' ? 'timed_out_allow' : 'timed_out_deny');
}
