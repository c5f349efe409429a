import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { WaveActivities } from '../activities/wave.ts';
import type { WaveRowActivities } from '../activities/wave-rows.ts';
import { boxTaskQueue } from '../domain/task-queue.ts';
import { heartbeatBoundMs } from '../domain/generation/generation.ts';
import { rowActivities, rowOptions } from './proxies.ts';

/** Rows of both databases: short, and worth waiting for while Postgres is away. */
export const waveRows = rowActivities<WaveRowActivities>();

/** The last word of a run: whoever reads it may start the next one, so the history has to be written by then. */
export const lastWaveWord = proxyActivities<Pick<WaveRowActivities, 'recordWave'>>({
  ...rowOptions(),
  scheduleToCloseTimeout: '24 hours',
});

/** Steps that look at everything there is: a million files take their time, and a box may be rebooting. */
export function waveOnBox(box: string) {
  return proxyActivities<Omit<WaveActivities, 'beginGeneration' | 'writeBatch'>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '12 hours',
    scheduleToCloseTimeout: '48 hours',
    heartbeatTimeout: heartbeatBoundMs / 4,
    // What is cancelled is over before anything of it is swept.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // A store that restarts is back in seconds; one that stays away is looked for patiently.
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '15 seconds' },
  });
}

/** Waits for the sweep of what an earlier wave left, which has to let readers and late writers go first. */
export function beginningOn(box: string) {
  return proxyActivities<Pick<WaveActivities, 'beginGeneration'>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '1 minute',
    scheduleToCloseTimeout: '48 hours',
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 1.5, maximumInterval: '5 seconds' },
  });
}

/** Hundreds of chunks each. What keeps failing for a day is a person's to decide on. */
export function writingOn(box: string) {
  return proxyActivities<Pick<WaveActivities, 'writeBatch'>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '4 hours',
    scheduleToCloseTimeout: '24 hours',
    heartbeatTimeout: heartbeatBoundMs / 4,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
  });
}
