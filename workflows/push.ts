import {
  ActivityCancellationType,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { PushActivities, PushRowActivities } from '../activities/push.ts';
import { pointLock } from '../domain/backup/run.ts';
import { pushNowSignal, waitMs, type PushInput, type PushSaid } from '../domain/offsite/run.ts';
import { boxTaskQueue } from '../domain/task-queue.ts';
import { locks, operations, rowActivities } from './proxies.ts';

const rows = rowActivities<PushRowActivities>();
const pushNow = defineSignal(pushNowSignal);

/**
 * Row B5: brings a target what it has not, newest first, and ends when it has all. A host that is asleep, full or shut is waited
 * for, for as long as it takes; whoever has something new, or does not want to wait, says so.
 */
export async function push(input: PushInput): Promise<void> {
  const { target } = input;
  let news = 0;
  setHandler(pushNow, () => void (news += 1));
  let inVain = 0;
  for (let attempt = 1; ; attempt += 1) {
    const seen = news;
    const due = await rows.nextToPush(target);
    if (due === null) {
      if (news === seen) return;
      continue;
    }
    setCurrentDetails(`**${target}**: pushing ${due.stamp}`);
    const said = await inUse(due.stamp, () => pushingOn(input.box).pushPoint(target, due));
    await rows.recordPush(target, due.stamp, said, `${workflowInfo().runId}/${attempt}`);
    const { state } = said;
    if (state === 'away' || state === 'full' || state === 'refused') {
      inVain += 1;
      const ms = waitMs(state, inVain);
      setCurrentDetails(`**${target}** is ${state}: ${said.reason}\n\nTried again in ${Math.round(ms / 1_000)} s`);
      // Somebody who does not want to wait knows more than the bounds do.
      if (await condition(() => news !== seen, ms)) inVain = 0;
    } else {
      inVain = 0;
    }
    if (workflowInfo().continueAsNewSuggested && news === seen) await continueAsNew<typeof push>(input);
  }
}

/** It is not pruned meanwhile; while the host sleeps it is nobody's. */
async function inUse(stamp: string, work: () => Promise<PushSaid>): Promise<PushSaid> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  await locks.takeLocks([{ resource: pointLock(stamp), mode: 'shared' }], run);
  try {
    return await work();
  } finally {
    await CancellationScope.nonCancellable(() => operations.releaseLocks(run));
  }
}

/** A night for a large point over a thin line; a worker that dies is noticed, and the next one goes on. */
function pushingOn(box: string) {
  return proxyActivities<PushActivities>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '7 days',
    heartbeatTimeout: '30 seconds',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // What the target says is a result; what is tried again here is a box that was switched off, or a store that was away.
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
  });
}
