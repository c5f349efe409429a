import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import { pointLock, type PruneInput } from '../domain/backup/run.ts';
import type { BackupResult, PrunePlan } from '../domain/backup/schemas.ts';
import { createBackupJournal, type BackupJournal } from './backup-journal.ts';
import { backupRows, keepingOn } from './backup-proxies.ts';
import { failureReason } from './failure-reason.ts';
import { locksIfFree, operations } from './proxies.ts';

type Run = { readonly workflow_id: string; readonly run_id: string };
type Box = ReturnType<typeof keepingOn>;

/**
 * Row B4: what retention does not keep goes to the trash first, and from there only after a grace. Each point is decided on
 * again right before it goes, under a lock that whoever uses the point would hold.
 */
export async function prune(input: PruneInput): Promise<BackupResult> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  const journal = createBackupJournal('prune', input);
  try {
    await backupRows.openBackup('prune', null, input, run);
    await journal.enter('plan');
    const box = keepingOn(input.box);
    const plan = await box.planPrune(input.request);
    journal.note({ plan });
    await journal.check('plan', plan.blocked === null, planReason(plan), { ...plan });
    await apply(input, run, box, plan, journal);
  } catch (error) {
    journal.conclude(isCancellation(error) ? 'cancelled' : 'failed', failureReason(error));
  }
  await CancellationScope.nonCancellable(async () => {
    await operations.releaseLocks(run);
    await journal.close();
  });
  return journal.result;
}

async function apply({ request }: PruneInput, run: Run, box: Box, plan: PrunePlan, journal: BackupJournal) {
  if (plan.blocked !== null) {
    journal.conclude('blocked', plan.blocked);
    return;
  }
  if (request.dry_run) {
    journal.conclude('planned');
    return;
  }

  await journal.enter('trash');
  for (const { stamp } of plan.drop) {
    const gone = await underLock(run, stamp, journal, () => box.trashPoint(stamp, request));
    if (gone !== null && !gone.ok) await journal.check(`trash.${stamp}`, false, gone.reason);
    if (gone?.ok === true) journal.note({ trashed: [...journal.result.trashed, stamp] });
  }

  await journal.enter('purge');
  for (const stamp of await box.purgeable(request)) {
    const gone = await underLock(run, stamp, journal, () => box.purgePoint(stamp));
    if (gone !== null) journal.note({ purged: [...journal.result.purged, stamp] });
  }
  // Where its copies may go now, the run that pushes there takes them away: a host that is asleep holds nothing up here.
  await backupRows.wakeTargets();
  const { trashed, purged } = journal.result;
  journal.conclude(trashed.length + purged.length === 0 ? 'nothing_to_do' : 'pruned');
}

/** null: somebody uses it; the next prune looks again. */
async function underLock<T>(
  run: Run,
  stamp: string,
  journal: BackupJournal,
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    await locksIfFree.takeLocks([{ resource: pointLock(stamp), mode: 'exclusive' }], run);
  } catch (error) {
    if (isCancellation(error)) throw error;
    await journal.check(`use.${stamp}`, true, `it is in use, and stays: ${failureReason(error)}`);
    return null;
  }
  try {
    return await work();
  } finally {
    await CancellationScope.nonCancellable(() => operations.releaseLocks(run));
  }
}

function planReason({ keep, drop, blocked }: PrunePlan): string {
  return blocked ?? `${keep.length} kept, ${drop.length} to go`;
}
