import type { Placed } from '../activities/deploy.ts';
import type { WatchRules } from '../domain/deploy/watch.ts';
import { eventPhaseOf, type Outcome } from '../domain/deploy/words.ts';
import type { DeployRun, Failure } from './deploy-run.ts';
import { failureReason } from './failure-reason.ts';
import { desire, place, pointTraffic, prove, rightOf, startBeside, startInstead } from './place-release.ts';
import { onBox, operations } from './proxies.ts';
import { settleRollback } from './rollback-policy.ts';

/** What ran before, and how it is watched. */
export interface Before {
  readonly instance: string | null;
  readonly watch: WatchRules;
}

/** The release failed before it had any traffic: it is taken away, and what runs was never touched. */
export async function discard(run: DeployRun, failure: Failure, candidate: Placed, before: Before): Promise<void> {
  const { journal, input } = run;
  const release_id = journal.result.requested_release_id;
  await classify(run, failure, release_id);
  const keep = before.instance === null ? [] : [before.instance];
  const stopped = await onBox(input.box).stopOthers({ ...rightOf(run), keep });
  await journal.check('discarded', true, failure.reason, { instance: candidate.instance, stopped });
  end(run, failure, 'discarded');
}

/** Classify, decide by policy, put back, prove that: after this the service is as good as it can be made without a person. */
export async function putBack(run: DeployRun, failure: Failure, release_id: string, before: Before): Promise<void> {
  const { journal, input } = run;
  await classify(run, failure, release_id);
  const decision = await settleRollback(run, failure, release_id);
  const target = journal.result.rollback_target_release_id;
  if (decision.action === 'nothing') {
    await journal.error('rollback_policy', decision.reason);
    end(run, failure, 'rollback_denied');
    return;
  }
  if (decision.action === 'stop' || target === null) {
    await journal.enter('rollback');
    await desire(run, null, null);
    const stopped = await onBox(input.box).stopOthers({ ...rightOf(run), keep: [] });
    await journal.check('rollback.stopped', true, decision.reason, { stopped });
    end(run, failure, 'stopped_no_target');
    return;
  }
  const problem = await rollBack(run, target, before);
  journal.note({ rollback_performed: true, rollback_succeeded: problem === null });
  if (problem !== null) {
    await operations.enterSafeMode(input.service);
    await journal.error('rollback', problem);
  }
  end(run, failure, problem === null ? 'rolled_back' : 'rollback_failed');
}

async function classify({ journal, input }: DeployRun, failure: Failure, release_id: string | null): Promise<void> {
  journal.note({ failure_class: failure.failure_class, failure_reason: failure.reason });
  if (failure.failure_class === null) return;
  if (release_id !== null) await operations.setStanding(input.service, release_id, 'known_bad');
  await journal.error(eventPhaseOf[failure.failure_class], failure.reason);
}

/** An abort keeps its name, whatever was done about it. */
function end({ journal }: DeployRun, failure: Failure, outcome: Outcome): void {
  journal.note({ outcome: failure.failure_class === null ? 'aborted' : outcome });
}

/** Returns what went wrong, or null. */
async function rollBack(run: DeployRun, target: string, before: Before): Promise<string | null> {
  const { journal, input } = run;
  try {
    await journal.enter('rollback');
    const box = onBox(input.box);
    const standby = await box.standby({ ...rightOf(run), instance: before.instance, release_id: target });
    const placed = standby ?? (await place(run, target, 'rollback'));
    await desire(run, target, placed.instance);
    if (standby !== null) {
      // Start-first kept what ran before: nothing needs to be started.
      await pointTraffic(run, placed, 'rollback');
    } else if (placed.cut_over === 'start_first') {
      // The world is sent there at once: what it has now is known to be broken.
      await startBeside(run, placed, 'rollback.started');
      await pointTraffic(run, placed, 'rollback');
    } else {
      await startInstead(run, placed, 'rollback', before.instance);
    }
    if (placed.cut_over === 'start_first') await box.stopOthers({ ...rightOf(run), keep: [placed.instance] });
    const via = placed.port === null ? 'instance' : 'traffic';
    const verdict = await prove(run, placed, {
      ...{ phase: 'rollback_watch', via, rules: before.watch },
      cameUp: standby !== null,
    });
    return verdict.good ? null : verdict.reason;
  } catch (error) {
    return failureReason(error);
  }
}
