import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { CollectActivities, CollectRef, GarbageEnd } from '../activities/collect.ts';
import { collectDefaults, collectSignal, type CollectInput } from '../domain/generation/garbage.ts';
import { heartbeatBoundMs } from '../domain/generation/generation.ts';
import { locks, operations, rowActivities } from './proxies.ts';

const rows = rowActivities<Pick<CollectActivities, 'databaseOfCollection' | 'nextToSweep' | 'raiseFloor'>>();

/** A million rows take minutes; nobody waits for them but the next wave, after a sweep. */
const cleaning = proxyActivities<Pick<CollectActivities, 'sweepGeneration' | 'collectDead'>>({
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: heartbeatBoundMs,
  // Each step goes on where the one before it ended; a store that is away is waited for.
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
});

const collectAgain = defineSignal(collectSignal);

/** What stays to be done: later, when a pin is gone. */
type Left = 'nothing' | 'pinned';

/**
 * After a wave or a rollback (G6): sweeps what is never to be seen, then deletes what died before anything that can be seen or
 * made visible again. Ends when nothing is left.
 */
export async function collectGenerations(input: CollectInput): Promise<void> {
  const { project, settle_ms, look_ms } = { ...collectDefaults, ...input };
  let news = 1;
  setHandler(collectAgain, () => void (news += 1));
  for (let seen = 0; seen < news;) {
    seen = news;
    let left: Left;
    try {
      left = await cleanUp(project, settle_ms);
    } catch (error) {
      if (!isRestored(error)) throw error;
      // Other data have taken the place of these: what they left is looked at from the beginning.
      seen -= 1;
      continue;
    }
    if (left === 'pinned') {
      setCurrentDetails(`**${project}** is pinned`);
      await condition(() => news !== seen, look_ms);
      seen -= 1;
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof collectGenerations>(input);
  }
}

async function cleanUp(project: string, settleMs: number): Promise<Left> {
  const ref: CollectRef = { project, incarnation: await rows.databaseOfCollection() };
  for (;;) {
    const number = await rows.nextToSweep(ref);
    if (number === null) break;
    setCurrentDetails(`**${project}**: sweeping generation ${number}`);
    const end = await holdingData(() => cleaning.sweepGeneration(ref, number, settleMs));
    if (end.state === 'pinned') return 'pinned';
    if (end.state === 'waiting') await sleep(end.ms);
  }
  const floor = await rows.raiseFloor(ref);
  if (floor === 0) return 'nothing';
  // Readers that have read a number below it are gone by then, and so is what was still on its way to Qdrant.
  await sleep(settleMs);
  setCurrentDetails(`**${project}**: deleting what died up to generation ${floor}`);
  const end = await holdingData(() => cleaning.collectDead(ref, floor));
  return end.state === 'pinned' ? 'pinned' : 'nothing';
}

/** A restore, which takes the whole database away, waits for the step, and the step for it. */
async function holdingData(work: () => Promise<GarbageEnd>): Promise<GarbageEnd> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  await locks.takeLocks([{ resource: 'data', mode: 'shared' }], run);
  try {
    return await work();
  } finally {
    await CancellationScope.nonCancellable(() => operations.releaseLocks(run));
  }
}

function isRestored(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type === 'IncarnationChanged';
}
