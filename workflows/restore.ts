import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import { pointLock } from '../domain/backup/run.ts';
import type { RestoreInput } from '../domain/restore/run.ts';
import type { RestoreResult } from '../domain/restore/schemas.ts';
import { isBefore } from '../domain/restore/words.ts';
import { failureReason } from './failure-reason.ts';
import { locks, operations } from './proxies.ts';
import { holdData, letDataGo, letSafetyPointGo, makeSafetyPoint, restoreBeside } from './restore-beside.ts';
import { listenForCommands } from './restore-commands.ts';
import { createRestoreJournal } from './restore-journal.ts';
import { besideOn, restoreRows } from './restore-proxies.ts';
import type { RestoreRun } from './restore-run.ts';
import { dropSide, provedLive, putBack, swap, undo } from './restore-swap.ts';

/** How long the old side is kept at least when an undo had to be put off. */
const secondTryMs = 3_600_000;

/**
 * Prepare, apply, prove, and then keep or put back: one restore. Everything is restored and compared beside the live data; then
 * one transaction swaps them, and the old side is kept until somebody lets it go. Whatever dies on the way, what is live is one
 * side or the other, whole.
 */
export async function restore(input: RestoreInput): Promise<RestoreResult> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const lockedBy = { workflow_id, run_id };
  const journal = createRestoreJournal(input);
  const control = listenForCommands(input, journal);
  const work = new CancellationScope();
  control.whenCancelled(() => work.cancel());
  const { restore_id, stamp } = input;
  const run: RestoreRun = {
    ...{ input, lockedBy, journal, control, sets: [] },
    ref: { restore_id, stamp, lock_token: null },
  };
  try {
    await work.run(() => prepare(run));
    // From here on a cancellation changes nothing: live data are never left between two sides.
    await CancellationScope.nonCancellable(() => apply(run));
  } catch (error) {
    await CancellationScope.nonCancellable(() => giveUp(run, error));
  }
  await CancellationScope.nonCancellable(async () => {
    await operations.releaseLocks(lockedBy);
    await restoreRows.wakeAfterRestore();
    await letSafetyPointGo(run);
    await journal.close();
    await condition(allHandlersFinished);
  });
  return journal.result;
}

/** Nothing that anybody sees is changed. */
async function prepare(run: RestoreRun): Promise<void> {
  const { input, journal, lockedBy } = run;
  await restoreRows.openRestore(input, lockedBy);
  await journal.enter('preflight');
  await locks.takeLocks([{ resource: pointLock(input.stamp), mode: 'shared' }], lockedBy);
  const { checks, sets, degraded } = await besideOn(input.box).preflight(run.ref, input.request);
  run.sets = sets;
  journal.note({ degraded: [...degraded] });
  for (const { check, ok, reason, detail } of checks) await journal.check(check, ok, reason, detail);
  const refused = checks.find(({ ok }) => !ok);
  if (refused !== undefined) throw ApplicationFailure.nonRetryable(refused.reason, 'RestoreRefused');

  await journal.enter('lock');
  await holdData(run);
  if (input.request.pre_snapshot) await makeSafetyPoint(run);

  await journal.enter('beside');
  await restoreBeside(run);

  await journal.enter('compare');
  const proof = await besideOn(input.box).compare(run.ref);
  await journal.check('L2', proof.ok, proof.reason, proof.detail);
  if (!proof.ok) throw ApplicationFailure.nonRetryable(proof.reason, 'PointUnproved');
  const ready = await besideOn(input.box).makeReady(run.ref);
  await journal.check('ready', true, 'it can take the place of what is live', { ...ready });
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
}

/** Swap, prove, hold; then keep or put back. */
async function apply(run: RestoreRun): Promise<void> {
  const { journal, input } = run;
  await journal.enter('swap');
  await swap(run);
  await journal.enter('health');
  await provedLive(run, 'health');
  let until = Date.now() + input.request.hold_ms;
  for (;;) {
    await letDataGo(run);
    journal.note({ held_until: new Date(until).toISOString() });
    await journal.enter('held');
    await restoreRows.wakeAfterRestore();
    const { command, actor } = await run.control.decision(until);
    if (command === 'release') {
      await journal.enter('release');
      await journal.check('release', true, actor === null ? 'the time to undo it is over' : `by ${actor}`);
      await dropSide(run, 'old');
      journal.conclude('released');
      return;
    }
    await journal.enter('undo');
    if (await undo(run, actor)) {
      journal.conclude('undone');
      return;
    }
    // Who wants it back is not to lose it because they had to stop a service first.
    until = Math.max(until, Date.now() + secondTryMs);
  }
}

/** Where it failed says what is to be done; what could not be put back is deleted by nobody. */
async function giveUp(run: RestoreRun, error: unknown): Promise<void> {
  const { journal } = run;
  const reason = failureReason(error);
  const at = journal.phase();
  if (isBefore(at, 'beside')) {
    journal.conclude(isCancellation(error) ? 'cancelled' : 'refused', reason);
    return;
  }
  if (isBefore(at, 'swap')) {
    await journal.check('beside', false, reason);
    // What is live was never touched: nobody has to wait until the box is back that has what was made beside it.
    await letDataGo(run);
    await dropSide(run, 'restored');
    journal.conclude(isCancellation(error) ? 'cancelled' : 'failed', reason);
    return;
  }
  await journal.check(at, false, reason);
  // What is held, was let go or was being put back by a person's word: nothing is swapped behind their back.
  if (at === 'swap' || at === 'health') {
    await journal.enter('put_back');
    if (await putBack(run)) {
      journal.conclude('put_back', reason);
      return;
    }
  }
  journal.conclude('stuck', reason);
}
