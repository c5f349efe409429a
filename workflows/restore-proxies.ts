import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { RestoreRowActivities } from '../activities/restore-rows.ts';
import type { RestoreActivities } from '../activities/restore.ts';
import { heartbeatBoundMs } from '../domain/generation/generation.ts';
import { boxTaskQueue } from '../domain/task-queue.ts';
import { rowActivities, rowOptions } from './proxies.ts';

/** Rows of the operations database, which a restore never swaps. */
export const restoreRows = rowActivities<RestoreRowActivities>();

/** The last word of a run: whoever reads it may start the next one, so the history has to be written by then. */
export const lastRestoreWord = proxyActivities<Pick<RestoreRowActivities, 'recordRestore'>>({
  ...rowOptions(),
  scheduleToCloseTimeout: '24 hours',
});

/** What looks, restores beside and compares, as long as that takes: nobody has seen anything of it, so it may give up. */
export function besideOn(box: string) {
  return proxyActivities<
    Pick<
      RestoreActivities,
      'preflight' | 'settleWriters' | 'restoreDatabase' | 'restoreCollections' | 'unpackFiles' | 'compare' | 'makeReady'
    >
  >({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '12 hours',
    scheduleToCloseTimeout: '24 hours',
    heartbeatTimeout: heartbeatBoundMs,
    // What is cancelled is over before what it made is dropped.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // A worker that died, or a store that is being restarted; what fails eight times fails for a reason.
    retry: {
      initialInterval: '500 milliseconds',
      backoffCoefficient: 2,
      maximumInterval: '30 seconds',
      maximumAttempts: 8,
    },
  });
}

/** The change itself, either way: journals say how far it is, and a box that was switched off in the middle is waited for. */
export function swappingOn(box: string) {
  return proxyActivities<
    Pick<RestoreActivities, 'servicesStopped' | 'replaceFiles' | 'swapDatabase' | 'undoFiles' | 'swapBack' | 'takeOver'>
  >({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '2 hours',
    scheduleToCloseTimeout: '72 hours',
    heartbeatTimeout: heartbeatBoundMs,
    retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '15 seconds' },
  });
}

/** A server that comes back takes seconds; what is not well for minutes is not well. */
export function provingOn(box: string) {
  return proxyActivities<Pick<RestoreActivities, 'health'>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '10 minutes',
    scheduleToCloseTimeout: '1 hour',
    heartbeatTimeout: heartbeatBoundMs,
    retry: {
      initialInterval: '500 milliseconds',
      backoffCoefficient: 2,
      maximumInterval: '10 seconds',
      maximumAttempts: 8,
    },
  });
}

/** Deleting the side that nobody needs; it may wait for a box for days, and nothing waits for it. */
export function droppingOn(box: string) {
  return proxyActivities<Pick<RestoreActivities, 'dropRestored' | 'dropOld'>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '2 hours',
    scheduleToCloseTimeout: '7 days',
    heartbeatTimeout: heartbeatBoundMs,
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
  });
}
