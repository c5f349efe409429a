import {
  ActivityCancellationType,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { LetGoActivities } from '../activities/let-go.ts';
import type { PushActivities, PushRowActivities } from '../activities/push.ts';
import { pointLock } from '../domain/backup/run.ts';
import { pushNowSignal, waitMs, type PushInput, type PushSaid, type RemovalSaid } from '../domain/offsite/run.ts';
import { boxTaskQueue } from '../domain/task-queue.ts';
import { failureReason } from './failure-reason.ts';
import { locks, locksIfFree, operations, rowActivities } from './proxies.ts';

const rows = rowActivities<PushRowActivities>();
const pushNow = defineSignal(pushNowSignal);

/**
 * Rows B4 and B5: takes away at a target what retention lets go there, which makes room, then brings it what it has not, newest
 * first, and ends when it has all. A host that is asleep, full or shut is waited for, for as long as it takes; whoever has
 * something new, or does not want to wait, says so.
 */
export async function push(input: PushInput): Promise<void> {
  const { target } = input;
  let news = 0;
  setHandler(pushNow, () => void (news += 1));
  let inVain = 0;
  let toGo: readonly string[] | null = null;
  for (let attempt = 1; ; attempt += 1) {
    const seen = news;
    toGo ??= await rows.toLetGo(target);
    const once = `${workflowInfo().runId}/${attempt}`;
    const stamp: string | undefined = toGo[0];
    const said: PushSaid | RemovalSaid | null =
      stamp === undefined ? await pushNext(input, once) : await letGo(input, stamp, once);
    if (said === null && news === seen) return;
    if (said !== null && isTrouble(said.state)) {
      inVain += 1;
      const ms = waitMs(said.state, inVain);
      setCurrentDetails(`**${target}** is ${said.state}: ${said.reason}\n\nTried again in ${Math.round(ms / 1_000)} s`);
      // Somebody who does not want to wait knows more than the bounds do.
      if (await condition(() => news !== seen, ms)) inVain = 0;
    } else {
      inVain = 0;
      // Where one is denied the others would be: a person has to look, and what is to come is pushed all the same.
      toGo = said?.state === 'denied' ? [] : toGo.slice(1);
    }
    if (news !== seen) toGo = null;
    else if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof push>(input);
  }
}

/** null: it has all. */
async function pushNext({ target, box }: PushInput, once: string): Promise<PushSaid | null> {
  const due = await rows.nextToPush(target);
  if (due === null) return null;
  setCurrentDetails(`**${target}**: pushing ${due.stamp}`);
  const said = await releasing(async () => {
    await takePoint(due.stamp, 'shared');
    return pushingOn(box).pushPoint(target, due);
  });
  await rows.recordPush(target, due.stamp, said, once);
  return said;
}

/** What somebody uses stays; the next run looks again. */
async function letGo({ target, box }: PushInput, stamp: string, once: string): Promise<RemovalSaid> {
  setCurrentDetails(`**${target}**: retention lets ${stamp} go`);
  const said = await releasing(async () => {
    const inUse = await takePoint(stamp, 'exclusive').then(() => null, failedAs('kept'));
    return inUse ?? (await removingOn(box).removeCopy(target, stamp));
  }).catch(failedAs('denied'));
  await rows.recordRemoval(target, stamp, said, once);
  return said;
}

function failedAs(state: RemovalSaid['state']): (error: unknown) => RemovalSaid {
  return (error) => {
    if (isCancellation(error)) throw error;
    return { state, reason: failureReason(error) };
  };
}

function isTrouble(state: (PushSaid | RemovalSaid)['state']): state is 'away' | 'full' | 'refused' {
  return state === 'away' || state === 'full' || state === 'refused';
}

/** A push waits for a point that is being taken away, and nothing is taken away that is in use. */
async function takePoint(stamp: string, mode: 'shared' | 'exclusive'): Promise<void> {
  const taker = mode === 'shared' ? locks : locksIfFree;
  await taker.takeLocks([{ resource: pointLock(stamp), mode }], ownRun());
}

/** While the host sleeps the point is nobody's. */
async function releasing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await CancellationScope.nonCancellable(() => operations.releaseLocks(ownRun()));
  }
}

function ownRun() {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  return { workflow_id, run_id };
}

/** A night for a large point over a thin line; a worker that dies is noticed, and the next one goes on. */
function pushingOn(box: string) {
  return proxyActivities<PushActivities>({
    ...speakingOn(box),
    // What the target says is a result; what is tried again here is a box that was switched off, or a store that was away.
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
  });
}

function removingOn(box: string) {
  return proxyActivities<LetGoActivities>({
    ...speakingOn(box),
    // What fails eight times fails for a reason, and what is to be pushed does not wait behind it.
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 8 },
  });
}

function speakingOn(box: string) {
  return {
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '7 days',
    heartbeatTimeout: '30 seconds',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  } as const;
}
