import { ApplicationFailure, CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import { standingOf } from '../domain/deploy/metadata.ts';
import { decideRollback, type RollbackDecision } from '../domain/deploy/policy.ts';
import type { DeployInput } from '../domain/deploy/run.ts';
import type { DeployResult } from '../domain/deploy/schemas.ts';
import type { WatchRules } from '../domain/deploy/watch.ts';
import { eventPhaseOf, type FailureClass, type Outcome, type Phase } from '../domain/deploy/words.ts';
import type { ResolvedRelease } from '../activities/deploy.ts';
import type { ServiceFacts } from '../activities/operations.ts';
import { createJournal, type Journal } from './deploy-journal.ts';
import { failureReason } from './failure-reason.ts';
import { prepareRelease } from './prepare-release.ts';
import { locks, onBox, operations } from './proxies.ts';
import { watchInstance, type WatchEnd } from './watch-instance.ts';

/** What went wrong after the service was touched. An abort has no class: nothing failed, somebody changed their mind. */
interface Failure {
  readonly failure_class: FailureClass | null;
  readonly reason: string;
}

interface Candidate {
  readonly release: ResolvedRelease;
  readonly instance: string;
  readonly lock_token: string;
}

/**
 * Prepare, apply, prove, and then keep or put back: one deploy, or one rollback that an operator asked for. Always ends
 * with an outcome of row D4, whatever died on the way.
 */
export async function deploy(input: DeployInput): Promise<DeployResult> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  const journal = createJournal(input);
  try {
    journal.begin(await operations.openDeploy(input, run));
    await journal.enter('lock');
    const wishes = [
      { resource: `service/${input.service}`, mode: 'exclusive' },
      { resource: 'data', mode: 'shared' },
    ] as const;
    const [serviceLock] = await locks.takeLocks(wishes, run);
    if (serviceLock === undefined) throw ApplicationFailure.nonRetryable('No lock was given');
    await carryOut(input, journal, serviceLock.token);
  } catch (error) {
    await CancellationScope.nonCancellable(() => giveUp(input, journal, error));
  } finally {
    await CancellationScope.nonCancellable(async () => {
      await operations.releaseLocks(run);
      await journal.close();
    });
  }
  return journal.result;
}

/** Before the first change: refused, or aborted. After it, only what was being put back can end here: nobody knows how it is. */
async function giveUp({ service }: DeployInput, journal: Journal, error: unknown): Promise<void> {
  const reason = failureReason(error);
  if (journal.result.deployed_release_id === null) {
    journal.note({ failure_reason: reason, outcome: isCancellation(error) ? 'aborted' : 'refused' });
    return;
  }
  journal.note({ outcome: 'rollback_failed' });
  await operations.enterSafeMode(service);
  await journal.error('rollback', reason);
}

async function carryOut(input: DeployInput, journal: Journal, lock_token: string): Promise<void> {
  const facts = await operations.serviceFacts(input.service);
  const candidate: Candidate = {
    release: await prepareRelease(input, journal, facts, lock_token),
    instance: `${input.deploy_id}.candidate`,
    lock_token,
  };
  const changed = { epoch: facts.desired.epoch };
  const failure = await applyAndProve(input, journal, facts, candidate, changed);
  if (failure === null) return promote(input, journal, candidate);
  // From here on a cancellation changes nothing: a service is never left between two releases.
  await CancellationScope.nonCancellable(() => putBack(input, journal, candidate, failure, changed));
}

/** The change itself. Desired state first, so that whoever looks in the middle knows where this is going. */
async function applyAndProve(
  input: DeployInput,
  journal: Journal,
  facts: ServiceFacts,
  candidate: Candidate,
  changed: { epoch: number },
): Promise<Failure | null> {
  const { instance, lock_token } = candidate;
  const { release_id } = candidate.release;
  await journal.enter('cut_over');
  // Either nothing has changed yet, or it is known that it has: a cancellation must not leave that open.
  await CancellationScope.nonCancellable(() => desire(input, changed, { release_id, instance }));
  journal.note({ deployed_release_id: release_id });
  try {
    const verdict = await startAndProve(input, journal, facts.watch, {
      ...{ release_id, instance, lock_token },
      ...{ start: 'cut_over', watch: 'watch', proof: 'watch.candidate' },
    });
    return verdict.good ? null : { failure_class: verdict.failure_class, reason: verdict.reason };
  } catch (error) {
    if (isCancellation(error)) return { failure_class: null, reason: 'aborted' };
    return { failure_class: 'deploy_failure', reason: failureReason(error) };
  }
}

async function desire(
  { service }: DeployInput,
  changed: { epoch: number },
  { release_id, instance }: { readonly release_id: string | null; readonly instance: string | null },
): Promise<void> {
  const state = instance === null ? 'stopped' : 'running';
  changed.epoch = await operations.setDesired(service, changed.epoch, { release_id, state, instance });
}

/** Puts one instance in the place of all others and watches it: the same for a new release and for one to go back to. */
async function startAndProve(
  input: DeployInput,
  journal: Journal,
  rules: WatchRules,
  place: {
    readonly release_id: string;
    readonly instance: string;
    readonly lock_token: string;
    readonly start: Phase;
    readonly watch: Phase;
    readonly proof: string;
  },
): Promise<WatchEnd> {
  const { release_id, instance, lock_token } = place;
  const { service } = input;
  const box = onBox(input.box);
  const stopped = await box.stopOthers({ service, lock_token, keep: instance });
  const started = await box.startInstance({ service, release_id, instance, lock_token });
  await journal.check(place.start, true, 'stop_first', { stopped, ...started });

  await journal.enter(place.watch);
  const verdict = await watchInstance(input, instance, release_id, rules, (progress) => journal.show(progress));
  await journal.check(place.proof, verdict.good, verdict.reason, verdict.seen);
  return verdict;
}

async function promote(input: DeployInput, journal: Journal, candidate: Candidate): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    const { release_id } = candidate.release;
    await journal.enter('promote');
    await operations.setStanding(input.service, release_id, 'good');
    journal.note({ outcome: 'promoted' });
    const previous = journal.result.previous_release_id;
    const releases = previous === null ? [release_id] : [release_id, previous];
    try {
      const pruned = await onBox(input.box).prune(input.service, { releases, instance: candidate.instance });
      await journal.check('prune', true, 'pruned', { pruned });
    } catch (error) {
      // Old bits that stay are no reason to doubt the new release.
      await journal.check('prune', false, failureReason(error));
    }
  });
}

async function putBack(
  input: DeployInput,
  journal: Journal,
  candidate: Candidate,
  failure: Failure,
  changed: { epoch: number },
): Promise<void> {
  const { release_id } = candidate.release;
  journal.note({ failure_class: failure.failure_class, failure_reason: failure.reason });
  if (failure.failure_class !== null) {
    await operations.setStanding(input.service, release_id, 'known_bad');
    await journal.error(eventPhaseOf[failure.failure_class], failure.reason);
  }

  await journal.enter('rollback_policy');
  const decision = await decide(input, journal, failure, release_id);
  const target = journal.result.rollback_target_release_id;
  journal.note({
    rollback_policy_status: decision.status,
    rollback_policy_reason: decision.reason,
    rollback_target_valid: decision.target_valid,
  });
  await journal.check('rollback_policy', decision.status === 'allowed', decision.reason, { target, release_id });
  // An abort keeps its name, whatever was done about it.
  const end = (outcome: Outcome): void => {
    journal.note({ outcome: failure.failure_class === null ? 'aborted' : outcome });
  };

  if (decision.action === 'nothing') {
    await journal.error('rollback_policy', decision.reason);
    end('rollback_denied');
    return;
  }
  if (decision.action === 'stop' || target === null) {
    await journal.enter('rollback');
    await stopFailed(input, candidate, changed);
    await journal.check('rollback.stopped', true, decision.reason);
    end('stopped_no_target');
    return;
  }
  const problem = await rollBack(input, journal, candidate.lock_token, target, changed);
  journal.note({ rollback_performed: true, rollback_succeeded: problem === null });
  if (problem === null) {
    end('rolled_back');
    return;
  }
  await operations.enterSafeMode(input.service);
  await journal.error('rollback', problem);
  end('rollback_failed');
}

/** The facts as they are now, not as they were before the watch. */
async function decide(
  { service, box, request }: DeployInput,
  journal: Journal,
  { failure_class }: Failure,
  deployed_release_id: string,
): Promise<RollbackDecision> {
  const facts = await operations.serviceFacts(service);
  const target = journal.result.rollback_target_release_id;
  const { deployment_context } = journal.result;
  const asked = failure_class === null ? true : request[`rollback_on_${failure_class}`];
  const bits = target === null ? 'ok' : await onBox(box).verifyRelease(service, target);
  return decideRollback({
    failure_class: failure_class ?? 'deploy_failure',
    deployment_context,
    safe_mode: facts.safe_mode,
    automatic_rollback_used: journal.result.rollback_performed,
    override: null,
    enabled: asked ?? facts.rollback_on[failure_class ?? 'deploy_failure'][deployment_context],
    has_executor: true,
    deployed_release_id,
    target:
      target === null
        ? null
        : { release_id: target, standing: bits === 'ok' ? standingOf(target, facts.releases) : 'missing' },
  });
}

async function stopFailed(input: DeployInput, { lock_token }: Candidate, changed: { epoch: number }): Promise<void> {
  await desire(input, changed, { release_id: null, instance: null });
  await onBox(input.box).stopOthers({ service: input.service, lock_token, keep: null });
}

/** Returns what went wrong, or null. */
async function rollBack(
  input: DeployInput,
  journal: Journal,
  lock_token: string,
  release_id: string,
  changed: { epoch: number },
): Promise<string | null> {
  const instance = `${input.deploy_id}.rollback`;
  try {
    await journal.enter('rollback');
    await desire(input, changed, { release_id, instance });
    const { watch } = await operations.serviceFacts(input.service);
    const verdict = await startAndProve(input, journal, watch, {
      ...{ release_id, instance, lock_token },
      ...{ start: 'rollback', watch: 'rollback_watch', proof: 'watch.rollback' },
    });
    return verdict.good ? null : verdict.reason;
  } catch (error) {
    return failureReason(error);
  }
}
