import { allHandlersFinished, ApplicationFailure, CancellationScope, condition } from '@temporalio/workflow';
import { isCancellation, workflowInfo } from '@temporalio/workflow';
import type { Placed } from '../activities/deploy.ts';
import type { ServiceFacts } from '../activities/operations.ts';
import { answerOfRegistry, resolveMetadata } from '../domain/deploy/metadata.ts';
import type { DeployInput, WatchVerdict } from '../domain/deploy/run.ts';
import type { DeployResult } from '../domain/deploy/schemas.ts';
import { createJournal, type Journal } from './deploy-journal.ts';
import type { DeployRun, Failure } from './deploy-run.ts';
import { failureReason } from './failure-reason.ts';
import { desire, place, pointTraffic, prove, retireOthers, startBeside, startInstead } from './place-release.ts';
import { prepareRelease, type Prepared } from './prepare-release.ts';
import { locks, onBox, operations } from './proxies.ts';
import { discard, putBack } from './put-back.ts';
import { listenForOverrides } from './run-overrides.ts';
import type { WatchEnd } from './watch-instance.ts';

/** What the change came to. */
type Applied =
  | { readonly end: 'proved' | 'degraded'; readonly instance: string }
  /** Before anybody was sent there. */
  | { readonly end: 'discard'; readonly failure: Failure; readonly candidate: Placed }
  | { readonly end: 'failed'; readonly failure: Failure };

/**
 * Prepare, apply, prove, and then keep or put back: one deploy, or one rollback that an operator or a watch asked for.
 * Always ends with an outcome of row D4, whatever died on the way.
 */
export async function deploy(input: DeployInput): Promise<DeployResult> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const lockedBy = { workflow_id, run_id };
  const journal = createJournal(input);
  const overrides = listenForOverrides(input.deploy_id, journal.now);
  const work = new CancellationScope();
  overrides.whenAborted(() => work.cancel());
  try {
    await work.run(async () => {
      journal.begin(await operations.openDeploy(input, lockedBy));
      await overrides.begin(input);
      await journal.enter('lock');
      const wishes = [
        { resource: `service/${input.service}`, mode: 'exclusive' },
        { resource: 'data', mode: 'shared' },
      ] as const;
      const [lock] = await locks.takeLocks(wishes, lockedBy);
      if (lock === undefined) throw ApplicationFailure.nonRetryable('No lock was given');
      const facts = await operations.serviceFacts(input.service, input.deploy_id);
      const epoch = facts.desired.epoch;
      const run: DeployRun = { input, run_id, journal, overrides, epoch, lock_token: lock.token };
      await (input.watch === undefined ? carryOut(run, facts) : takeOver(run, facts, input.watch));
    });
  } catch (error) {
    await CancellationScope.nonCancellable(() => giveUp(input, journal, error));
  } finally {
    await CancellationScope.nonCancellable(async () => {
      await operations.releaseLocks(lockedBy);
      await operations.recordOutcome(input, journal.result);
      await operations.wakeWatch(input.service);
      await condition(allHandlersFinished);
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

async function carryOut(run: DeployRun, facts: ServiceFacts): Promise<void> {
  const prepared = await prepareRelease(run, facts);
  const applied = await applyAndProve(run, facts, prepared);
  const before = { instance: facts.desired.instance, watch: facts.watch };
  // From here on a cancellation changes nothing: a service is never left between two releases.
  await CancellationScope.nonCancellable(async () => {
    if (applied.end === 'discard') return discard(run, applied.failure, applied.candidate, before);
    if (applied.end === 'failed') return putBack(run, applied.failure, prepared.release_id, before);
    return keep(run, prepared, applied.instance, applied.end === 'degraded');
  });
}

/** What watch/<service> saw after the deploy was over; it is dropped when the service is not what was seen any more. */
async function takeOver(run: DeployRun, facts: ServiceFacts, verdict: WatchVerdict): Promise<void> {
  const { journal, input } = run;
  const { release_id, instance, epoch } = facts.desired;
  if (epoch !== verdict.epoch || release_id === null) {
    const why = `The watch saw epoch ${verdict.epoch} of ${input.service}; it is ${epoch} now`;
    throw ApplicationFailure.nonRetryable(why, 'DesiredStateChanged');
  }
  await CancellationScope.nonCancellable(async () => {
    await journal.enter('resolve');
    const registry = { ...facts, desired: { release_id: null } };
    const answers = [answerOfRegistry(registry, release_id)];
    const { release_metadata_skipped, ...metadata } = resolveMetadata({}, answers, facts.deployment_context);
    journal.note({ ...metadata, release_metadata_skipped: [...release_metadata_skipped] });
    journal.note({ deployed_release_id: release_id });
    await journal.check('watch', false, verdict.reason, { ...verdict, ...metadata });
    await putBack(run, verdict, release_id, { instance: null, watch: facts.watch });
    if (instance === null) throw ApplicationFailure.nonRetryable('Nothing was desired', 'DesiredStateChanged');
  });
}

async function applyAndProve(run: DeployRun, facts: ServiceFacts, prepared: Prepared): Promise<Applied> {
  const { journal } = run;
  const { release_id } = prepared;
  await journal.enter('cut_over');
  const placed = await place(run, release_id, 'candidate');
  journal.note({ cut_over: placed.cut_over });
  try {
    if (placed.cut_over === 'start_first') return await startFirst(run, facts, prepared, placed);
    await desire(run, release_id, placed.instance);
    journal.note({ deployed_release_id: release_id });
    await startInstead(run, placed, 'cut_over', facts.desired.instance);
    const via = placed.port === null ? 'instance' : 'traffic';
    return judged(
      await provedOrDegraded(run, facts, prepared, placed, { phase: 'watch', via, cameUp: false }),
      placed.instance,
    );
  } catch (error) {
    const failure = failureOf(error);
    const touched = journal.result.deployed_release_id !== null;
    return touched ? { end: 'failed', failure } : { end: 'discard', failure, candidate: placed };
  }
}

/** Row D11: proved before traffic moves, and once more with traffic on it while what ran before stands by. */
async function startFirst(run: DeployRun, facts: ServiceFacts, prepared: Prepared, placed: Placed): Promise<Applied> {
  const { release_id } = prepared;
  await startBeside(run, placed, 'cut_over');
  const alone = await provedOrDegraded(run, facts, prepared, placed, {
    ...{ phase: 'watch', via: 'instance', cameUp: false },
  });
  if ('failure_class' in alone) return { end: 'discard', failure: alone, candidate: placed };

  await run.journal.enter('switch');
  await desire(run, release_id, placed.instance);
  run.journal.note({ deployed_release_id: release_id });
  await pointTraffic(run, placed, 'switch');
  const inUse = await provedOrDegraded(run, facts, prepared, placed, {
    ...{ phase: 'traffic_watch', via: 'traffic', cameUp: true },
  });
  if ('failure_class' in inUse) return { end: 'failed', failure: inUse };
  await retireOthers(run, placed, 'retired');
  return judged(inUse, placed.instance);
}

type Judged = { readonly end: 'proved' | 'degraded' } | Failure;

function judged(proof: Judged, instance: string): Applied {
  return 'failure_class' in proof ? { end: 'failed', failure: proof } : { end: proof.end, instance };
}

/** Row D7: what is not healthy only because something it needs was down before is no fault of the release. */
async function provedOrDegraded(
  run: DeployRun,
  facts: ServiceFacts,
  { down }: Prepared,
  placed: Placed,
  how: Omit<Parameters<typeof prove>[2], 'rules'>,
): Promise<Judged> {
  const verdict: WatchEnd = await prove(run, placed, { ...how, rules: facts.watch });
  if (verdict.good) return { end: 'proved' };
  const failure = { failure_class: verdict.failure_class, reason: verdict.reason };
  const blameless =
    verdict.failure_class === 'health_failure' && verdict.running && !/identity|build_sha/.test(verdict.reason);
  if (!blameless || down.length === 0) return failure;
  const still = await onBox(run.input.box).downDependencies(run.input.deploy_id);
  const since = still.filter((name) => down.includes(name));
  if (since.length === 0) return failure;
  await run.journal.check(`${how.phase}.degraded`, false, `down since before the deploy: ${since.join(', ')}`);
  return { end: 'degraded' };
}

function failureOf(error: unknown): Failure {
  if (isCancellation(error)) return { failure_class: null, reason: 'aborted' };
  return { failure_class: 'deploy_failure', reason: failureReason(error) };
}

async function keep(run: DeployRun, { release_id }: Prepared, instance: string, degraded: boolean): Promise<void> {
  const { input, journal } = run;
  await journal.enter('promote');
  // What was never seen well is not a release to go back to.
  if (!degraded) await operations.promote(input.service, release_id, input.deploy_id);
  journal.note({ outcome: degraded ? 'promoted_degraded' : 'promoted' });
  const previous = journal.result.previous_release_id;
  const releases = previous === null ? [release_id] : [release_id, previous];
  try {
    const pruned = await onBox(input.box).prune(input.service, { releases, instance });
    await journal.check('prune', true, 'pruned', { pruned });
  } catch (error) {
    // Old bits that stay are no reason to doubt the new release.
    await journal.check('prune', false, failureReason(error));
  }
}
