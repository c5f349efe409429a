import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { BackupRowActivities } from '../activities/backup-rows.ts';
import type { BackupActivities } from '../activities/backup.ts';
import type { PruneActivities } from '../activities/prune.ts';
import { heartbeatBoundMs } from '../domain/generation/generation.ts';
import { boxTaskQueue } from '../domain/task-queue.ts';
import { rowActivities, rowOptions } from './proxies.ts';

/** Rows of the operations database: short, and worth waiting for while Postgres is away. */
export const backupRows = rowActivities<BackupRowActivities>();

/** The last word of a run: whoever reads it may start the next one, so the history has to be written by then. */
export const lastBackupWord = proxyActivities<Pick<BackupRowActivities, 'recordBackup'>>({
  ...rowOptions(),
  scheduleToCloseTimeout: '24 hours',
});

/**
 * G7: snapshot, dump and hashes are one attempt, which nothing can take up in the middle: one that is lost begins again, with
 * another stamp. A store that restarts is back in seconds; after five tries somebody is to be told.
 */
export function copyingOn(box: string) {
  return proxyActivities<Pick<BackupActivities, 'copyPoint'>>({
    ...longStepOn(box),
    retry: { initialInterval: '2 seconds', backoffCoefficient: 3, maximumInterval: '1 minute', maximumAttempts: 5 },
  });
}

/** Reading back all of it, and restoring it: as long as it takes, begun again where its worker dies. */
export function provingOn(box: string) {
  return proxyActivities<Pick<BackupActivities, 'checkRoom' | 'provePoint' | 'validatePoint'>>({
    ...longStepOn(box),
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 8 },
  });
}

/** One rename, and what is left to be tidied: a box that was switched off in between is waited for. */
export function keepingOn(box: string) {
  return proxyActivities<Pick<BackupActivities, 'publishPoint' | 'discardPoint'> & PruneActivities>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '30 minutes',
    scheduleToCloseTimeout: '24 hours',
    heartbeatTimeout: heartbeatBoundMs,
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
  });
}

function longStepOn(box: string) {
  return {
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '12 hours',
    scheduleToCloseTimeout: '24 hours',
    heartbeatTimeout: heartbeatBoundMs,
    // What is cancelled is over before its folder is taken away.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  } as const;
}
