import { ApplicationFailure, CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import { resolveMetadata, standingOf } from '../domain/deploy/metadata.ts';
import { decideRollback, type RollbackDecision } from '../domain/deploy/policy.ts';
import type { DeployInput } from '../domain/deploy/run.ts';
import type { DeployResult } from '../domain/deploy/schemas.ts';
import { eventPhaseOf, type FailureClass, type Outcome } from '../domain/deploy/words.ts';
import type { ResolvedRelease } from '../activities/deploy.ts';
import type { ServiceFacts } from '../activities/operations.ts';
import { createJournal, type Journal } from './deploy-journal.ts';
import { failureReason } from './failure-reason.ts';
import { buildingOn, locks, onBox, operations } from './proxies.ts';
import { watchInstance } from './watch-instance.ts';

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
    // Only what comes before the first change ends here: later failures are classified where they happen.
    if (journal.result.outcome === null) {
      const outcome = isCancellation(error) ? 'aborted' : 'refused';
      journal.note({ failure_reason: failureReason(error), outcome });
    }
  } finally {
    await CancellationScope.nonCancellable(async () => {
      await operations.releaseLocks(run);
      await journal.close();
    });
  }
  return journal.result;
}

async function carryOut(input: DeployInput, journal: Journal, lock_token: string): Promise<void> {
  const facts = await operations.serviceFacts(input.service);
  const candidate: Candidate = {
    release: await prepare(input, journal, facts, lock_token),
    instance: `${input.deploy_id}.candidate`,
    lock_token,
  };
  const changed = { epoch: facts.desired.epoch };
  const failure = await applyAndProve(input, journal, facts, candidate, changed);
  if (failure === null) return promote(input, journal, candidate);
  // From here on a cancellation changes nothing: a service is never left between two releases.
  await CancellationScope.nonCancellable(() => putBack(input, journal, candidate, failure, changed));
}

/** Nothing that runs is touched here; any failure is `refused`. */
async function prepare(
  input: DeployInput,
  journal: Journal,
  facts: ServiceFacts,
  lock_token: string,
): Promise<ResolvedRelease> {
  const build = buildingOn(input.box);

  await journal.enter('resolve');
  const release = await resolveCandidate(input, facts);
  const metadata = resolveMetadata(input.request, facts, release.release_id);
  journal.note({ ...metadata, requested_release_id: release.release_id });
  await journal.check('resolve', true, metadata.release_metadata_source, { ...release, ...metadata });

  await journal.enter('guard');
  const guards = await onBox(input.box).checkGuards(input.service);
  await journal.check('guard.disk_space', true, 'enough', guards);

  await journal.enter('build');
  if (input.request.kind === 'rollback') {
    await mustBeIntact(input, release.release_id);
  } else {
    const { digest } = await build.buildRelease(input.service, release, lock_token);
    await journal.check('build', true, 'built', { digest });
  }
  return release;
}

/** A deploy goes to what a ref means now; a rollback goes to a release that this Holdfast built. */
async function resolveCandidate({ request, service, box }: DeployInput, facts: ServiceFacts): Promise<ResolvedRelease> {
  if (request.kind === 'deploy') {
    const ref = request.requested_release_id ?? request.ref ?? facts.source_ref;
    return buildingOn(box).resolveRelease(service, ref);
  }
  const running = facts.desired.release_id;
  const target =
    request.requested_release_id ??
    facts.releases.find(({ release_id, standing }) => standing === 'good' && release_id !== running)?.release_id;
  if (target === undefined) throw ApplicationFailure.nonRetryable('No good release to go back to', 'ReleaseUnknown');
  if (standingOf(target, facts.releases) === 'missing') {
    throw ApplicationFailure.nonRetryable(
      `Release ${target} is not in the registry or its bits are gone`,
      'ReleaseMissing',
    );
  }
  return { release_id: target, branch: null, committed_at: null };
}

async function mustBeIntact({ box, service }: DeployInput, release_id: string): Promise<void> {
  const bits = await onBox(box).verifyRelease(service, release_id);
  if (bits !== 'ok') throw ApplicationFailure.nonRetryable(`The bits of ${release_id} are ${bits}`, 'ReleaseMissing');
}

/** The change itself. Desired state first, so that whoever looks in the middle knows where this is going. */
async function applyAndProve(
  input: DeployInput,
  journal: Journal,
  facts: ServiceFacts,
  candidate: Candidate,
  changed: { epoch: number },
): Promise<Failure | null> {
  const { service } = input;
  const { release_id } = candidate.release;
  const box = onBox(input.box);
  try {
    await journal.enter('cut_over');
    changed.epoch = await operations.setDesired(service, changed.epoch, {
      release_id,
      state: 'running',
      instance: candidate.instance,
    });
    journal.note({ deployed_release_id: release_id });
    const stopped = await box.stopOthers({ service, lock_token: candidate.lock_token, keep: candidate.instance });
    const started = await box.startInstance({ service, release_id, ...candidate });
    await journal.check('cut_over', true, 'stop_first', { stopped, ...started });

    await journal.enter('watch');
    const verdict = await watchInstance(input, candidate.instance, release_id, facts.watch, (progress) =>
      journal.show(progress),
    );
    await journal.check('watch.candidate', verdict.good, verdict.reason, verdict.seen);
    return verdict.good ? null : { failure_class: verdict.failure_class, reason: verdict.reason };
  } catch (error) {
    if (isCancellation(error)) return { failure_class: null, reason: 'aborted' };
    return { failure_class: 'deploy_failure', reason: failureReason(error) };
  }
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

async function stopFailed({ service, box }: DeployInput, { lock_token }: Candidate, changed: { epoch: number }) {
  const nothing = { release_id: null, state: 'stopped', instance: null } as const;
  changed.epoch = await operations.setDesired(service, changed.epoch, nothing);
  await onBox(box).stopOthers({ service, lock_token, keep: null });
}

/** The same steps and the same proof as for any release. Returns what went wrong, or null. */
async function rollBack(
  input: DeployInput,
  journal: Journal,
  lock_token: string,
  release_id: string,
  changed: { epoch: number },
): Promise<string | null> {
  const { service } = input;
  const instance = `${input.deploy_id}.rollback`;
  const box = onBox(input.box);
  try {
    await journal.enter('rollback');
    const back = { release_id, state: 'running', instance } as const;
    changed.epoch = await operations.setDesired(service, changed.epoch, back);
    const stopped = await box.stopOthers({ service, lock_token, keep: instance });
    const started = await box.startInstance({ service, release_id, instance, lock_token });
    await journal.check('rollback', true, 'stop_first', { stopped, ...started });

    await journal.enter('rollback_watch');
    const { watch } = await operations.serviceFacts(service);
    const verdict = await watchInstance(input, instance, release_id, watch, (progress) => journal.show(progress));
    await journal.check('watch.rollback', verdict.good, verdict.reason, verdict.seen);
    return verdict.good ? null : verdict.reason;
  } catch (error) {
    return failureReason(error);
  }
}
