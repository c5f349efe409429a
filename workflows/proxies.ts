import {
  type ActivityInterfaceFor,
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { DeployActivities } from '../activities/deploy.ts';
import type { OperationsActivities } from '../activities/operations.ts';
import type { OverrideActivities } from '../activities/overrides.ts';
import type { StandActivities, WatchActivities } from '../activities/watch.ts';
import { boxTaskQueue } from '../domain/task-queue.ts';

/** Rows of the operations database: short, and worth waiting for while Postgres is away. */
export const operations = rowActivities<OperationsActivities>();
export const watchRows = rowActivities<WatchActivities>();

/** Used by handlers, beside the run: two local activities at once would not replay in the order in which they ended. */
export const overrideRows = proxyActivities<OverrideActivities>({
  ...rowOptions(),
  scheduleToCloseTimeout: '24 hours',
});

/** The last word of a run: whoever reads it may start the next one, so the history has to be written by then. */
export const lastWord = proxyActivities<Pick<OperationsActivities, 'record'>>({
  ...rowOptions(),
  scheduleToCloseTimeout: '24 hours',
});

export function rowOptions() {
  return {
    // Long for a row, short for somebody who waits for a worker that was killed in the middle of writing it.
    startToCloseTimeout: '10 seconds',
    // Nothing is decided or undone because a database is being restarted; tried often, so that work resumes at once.
    retry: { initialInterval: '200 milliseconds', backoffCoefficient: 1.5, maximumInterval: '5 seconds' },
  } as const;
}

/**
 * First as a local activity, which is one event of the history instead of six. When the database stays away, as an ordinary
 * one: its retries cost no events, so that a night without Postgres fills no history.
 */
export function rowActivities<A>(): ActivityInterfaceFor<A> {
  const quick = proxyLocalActivities({ ...rowOptions(), scheduleToCloseTimeout: '15 seconds' });
  const patient = proxyActivities({ ...rowOptions(), scheduleToCloseTimeout: '24 hours' });
  const activity =
    (name: string) =>
    async (...args: unknown[]): Promise<unknown> => {
      try {
        return await quick[name]?.(...args);
      } catch (error) {
        if (isCancellation(error) || isPermanent(error)) throw error;
        return patient[name]?.(...args);
      }
    };
  return new Proxy({}, { get: (_, name) => activity(String(name)) }) as ActivityInterfaceFor<A>;
}

function isPermanent(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.nonRetryable === true;
}

/** Waiting for another pipeline's lock is a retry that an operator can see in Temporal's UI. */
export const locks = proxyActivities<Pick<OperationsActivities, 'takeLocks'>>({
  startToCloseTimeout: '20 seconds',
  scheduleToCloseTimeout: '6 hours',
  // The holder may be a restore that takes long; looking every 2 s costs next to nothing.
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 1.5, maximumInterval: '2 seconds' },
});

/** A watch does not queue up behind whoever changes the service: it looks again afterwards. */
export const locksIfFree = proxyActivities<Pick<OperationsActivities, 'takeLocks'>>({
  startToCloseTimeout: '20 seconds',
  scheduleToCloseTimeout: '1 minute',
  // Somebody who holds it changes the service, and what was seen is out of date when they are done.
  retry: { maximumAttempts: 2 },
});

/** Side effects on one box that end within minutes; the heartbeat notices a worker that died. */
export function onBox(box: string) {
  return proxyActivities<Omit<DeployActivities, 'buildRelease' | 'resolveRelease' | SwitchActivity>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '75 minutes',
    scheduleToCloseTimeout: '3 hours',
    heartbeatTimeout: '5 seconds',
    // What is cancelled is over before anything is put back: no start may happen after the stop.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // The box may be rebooting: half a minute of quick tries, then patiently.
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '15 seconds' },
  });
}

type SwitchActivity = 'pointTraffic' | 'removeSwitch';

/** A proxy that is not ours and stays away holds nothing up for long: by then it is a failure like any other. */
export function switchOn(box: string) {
  return proxyActivities<Pick<DeployActivities, SwitchActivity>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '5 minutes',
    scheduleToCloseTimeout: '3 hours',
    heartbeatTimeout: '5 seconds',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // About two minutes of trying; time in which no worker runs does not count.
    retry: {
      ...{ initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '15 seconds' },
      maximumAttempts: 12,
    },
  });
}

/** Fetching and building may take long, and may fail for reasons of the network. */
export function buildingOn(box: string) {
  return proxyActivities<Pick<DeployActivities, 'buildRelease' | 'resolveRelease'>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '2 hours',
    scheduleToCloseTimeout: '3 hours',
    heartbeatTimeout: '5 seconds',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // A build step that failed is permanent; what is tried again is a network that was away.
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 5 },
  });
}

/** The look that goes on for half a day at a time; a worker that comes back takes it up again at once. */
export function standingOn(box: string) {
  return proxyActivities<StandActivities>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '13 hours',
    // No bound in all: a box that is switched off for a week is looked after again when it is back.
    heartbeatTimeout: '10 seconds',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '15 seconds' },
  });
}
