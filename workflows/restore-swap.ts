import { ApplicationFailure } from '@temporalio/workflow';
import type { RestoreVerdict } from '../activities/restore.ts';
import { failureReason } from './failure-reason.ts';
import { holdData, letDataGo, takeData } from './restore-beside.ts';
import { droppingOn, provingOn, restoreRows, swappingOn } from './restore-proxies.ts';
import type { RestoreRun } from './restore-run.ts';

/** Files first, while their services are stopped; the database last, because that is what everybody sees at once. */
export async function swap(run: RestoreRun): Promise<void> {
  const { input, journal, ref, sets } = run;
  const box = swappingOn(input.box);
  const stopped = await box.servicesStopped(ref, sets);
  await journal.check('services_stopped', stopped.ok, stopped.reason, stopped.detail);
  if (!stopped.ok) throw ApplicationFailure.nonRetryable(stopped.reason, 'FilesInUse');
  for (const { name } of sets) await box.replaceFiles(ref, name);
  const { ms } = await box.swapDatabase(ref);
  journal.note({ live: 'restored' });
  journal.took('swap_database', ms);
  await journal.check('swap', true, `swapped in ${ms} ms`, { ms });
  const taken = await box.takeOver(ref);
  await journal.check('take_over', true, 'what is not in the databases follows them', taken);
}

/** Throws when what is live now is not well. */
export async function provedLive({ input, journal, ref }: RestoreRun, name: string): Promise<void> {
  const { ok, reason, detail } = await provingOn(input.box).health(ref);
  await journal.check(name, ok, reason, detail);
  if (!ok) throw ApplicationFailure.nonRetryable(reason, 'RestoreRefused');
}

/** Everything as it was, whatever of the swap was done. False: it could not be, and nothing is deleted. */
export async function putBack(run: RestoreRun): Promise<boolean> {
  const { input, journal, sets } = run;
  const box = swappingOn(input.box);
  journal.note({ live: 'unknown' });
  try {
    await takeData(run);
    const { ref } = run;
    await box.swapBack(ref);
    for (const { name } of sets) await box.undoFiles(ref, name);
    journal.note({ live: 'old' });
    await box.takeOver(ref);
    await provedLive(run, 'health_of_old_side');
  } catch (error) {
    await journal.check('put_back', false, failureReason(error));
    return false;
  }
  // Nobody has to wait for that.
  await letDataGo(run);
  await restoreRows.wakeAfterRestore();
  await dropSide(run, 'restored');
  return true;
}

/**
 * The side that nobody needs. A box that is away for longer than that is waited for is no reason never to end: what is left is
 * said, and the next restore there drops it before it begins.
 */
export async function dropSide({ input, journal, ref }: RestoreRun, side: 'old' | 'restored'): Promise<void> {
  const box = droppingOn(input.box);
  try {
    await (side === 'old' ? box.dropOld(ref) : box.dropRestored(ref));
  } catch (error) {
    const reason = `what is ${side} is left beside what is live until the next restore: ${failureReason(error)}`;
    await journal.check(`drop_${side}`, false, reason);
  }
}

/** By a person's word. False: not yet, because services use the files, or the data could not be had; it stays held. */
export async function undo(run: RestoreRun, actor: string | null): Promise<boolean> {
  const { journal } = run;
  const { ok, reason, detail } = await readyToUndo(run);
  await journal.check('undo', ok, ok ? `asked for by ${actor ?? 'nobody'}` : reason, detail);
  if (!ok) return false;
  if (await putBack(run)) return true;
  throw ApplicationFailure.nonRetryable('The old side could not be put back', 'RestoreRefused');
}

/** Until here nothing was changed: what fails is no reason to give the old side up. */
async function readyToUndo(run: RestoreRun): Promise<RestoreVerdict> {
  try {
    await holdData(run);
    return await swappingOn(run.input.box).servicesStopped(run.ref, run.sets);
  } catch (error) {
    return { ok: false, reason: failureReason(error), detail: {} };
  }
}
