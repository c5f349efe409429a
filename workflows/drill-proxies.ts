import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { DrillRowActivities } from '../activities/drill-rows.ts';
import type { DrillActivities } from '../activities/drill.ts';
import { heartbeatBoundMs } from '../domain/generation/generation.ts';
import { boxTaskQueue } from '../domain/task-queue.ts';
import { rowActivities, rowOptions } from './proxies.ts';

/** Rows of the operations database: short, and worth waiting for while Postgres is away. */
export const drillRows = rowActivities<DrillRowActivities>();

/** The last word of a run: whoever reads it may start the next one, so the history has to be written by then. */
export const lastDrillWord = proxyActivities<Pick<DrillRowActivities, 'recordDrill'>>({
  ...rowOptions(),
  scheduleToCloseTimeout: '24 hours',
});

/** As long as a restore takes, begun again where its worker dies; a store that restarts is back in seconds. */
export function drillingOn(box: string) {
  return proxyActivities<Omit<DrillActivities, 'tidyDrill' | 'forgetMarker'>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '12 hours',
    scheduleToCloseTimeout: '24 hours',
    heartbeatTimeout: heartbeatBoundMs,
    // What is cancelled is over before it is tidied up.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 5 },
  });
}

/** What is left beside the live data, or in them, goes, also when it takes until the box is back. */
export function tidyingOn(box: string) {
  return proxyActivities<Pick<DrillActivities, 'tidyDrill' | 'forgetMarker'>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '30 minutes',
    scheduleToCloseTimeout: '24 hours',
    heartbeatTimeout: heartbeatBoundMs,
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
  });
}
