import {
  ActivityCancellationType,
  CancellationScope,
  isCancellation,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { PullActivities } from '../activities/pull.ts';
import { pointLock } from '../domain/backup/run.ts';
import type { BackupResult } from '../domain/backup/schemas.ts';
import type { PullInput } from '../domain/offsite/run.ts';
import { boxTaskQueue } from '../domain/task-queue.ts';
import { createBackupJournal, type BackupJournal } from './backup-journal.ts';
import { backupRows } from './backup-proxies.ts';
import { failureReason } from './failure-reason.ts';
import { locks, operations } from './proxies.ts';

type Run = { readonly workflow_id: string; readonly run_id: string };

/** Row B5: a point out of another place, on a box that may have nothing else. It is one here when every byte is what was signed. */
export async function pull(input: PullInput): Promise<BackupResult> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  const journal = createBackupJournal('pull', input);
  try {
    await backupRows.openBackup('pull', input.request.stamp ?? null, input, run);
    await fetchAndPublish(input, run, journal);
  } catch (error) {
    journal.conclude(isCancellation(error) ? 'cancelled' : 'failed', failureReason(error));
  }
  await CancellationScope.nonCancellable(async () => {
    await operations.releaseLocks(run);
    await journal.close();
  });
  return journal.result;
}

async function fetchAndPublish(
  { backup_id, box, request }: PullInput,
  run: Run,
  journal: BackupJournal,
): Promise<void> {
  const fetching = fetchingOn(box);
  await journal.enter('fetch');
  const stamp = await fetching.pickPoint(request);
  journal.about(stamp);
  await locks.takeLocks([{ resource: pointLock(stamp), mode: 'shared' }], run);
  const { ok, reason, detail, ms, ...sizes } = await fetching.fetchPoint(backup_id, request.target, stamp);
  journal.note(sizes);
  journal.took('fetch', ms);
  await journal.check('fetch', ok, reason, detail);
  if (!ok) {
    journal.conclude('invalid', reason);
    return;
  }
  await journal.enter('publish');
  await fetching.publishPulled(stamp);
  await backupRows.wakeTargets();
  journal.conclude('pulled');
}

/** A worker that dies is noticed, and what it had fetched stays; a target that does not answer is asked for a quarter of an hour. */
function fetchingOn(box: string) {
  return proxyActivities<PullActivities>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '7 days',
    heartbeatTimeout: '30 seconds',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '2 minutes', maximumAttempts: 12 },
  });
}
