import {
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  isCancellation,
  setCurrentDetails,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { Charge, StandReport } from '../activities/watch.ts';
import { decideStanding, type StandingDecision, type StandingVerdict } from '../domain/deploy/standing-watch.ts';
import { lookAgainSignal, type WatchInput } from '../domain/deploy/run.ts';
import { eventPhaseOf, type EventPhase } from '../domain/deploy/words.ts';
import { failureReason } from './failure-reason.ts';
import { locksIfFree, onBox, operations, standingOn, switchOn, watchRows } from './proxies.ts';

const lookAgain = defineSignal(lookAgainSignal);

/** One look goes on for so long when all is well: that, and little else, is what the watch costs. */
const standMs = 12 * 60 * 60_000;
/** How soon to look again after somebody else had their hands on the service. */
const busyMs = 15_000;

/** What was last reported of which desired state. */
interface Told {
  readonly epoch: number;
  readonly finding: StandingVerdict['finding'];
  /** Nothing more can be done about it: look on until it changes. */
  readonly settled: boolean;
}

type Bad = Exclude<StandingVerdict, { finding: 'well' | 'unknown' }>;

/**
 * Row D6, after the deploy: looks after a service for as long as it should run. Restarts what died within its breaker, and
 * hands over to deploy/<service> when the release is young and policy allows. Ends when the service is to be stopped.
 */
export async function watchService(input: WatchInput): Promise<void> {
  let news = 0;
  let leave: () => void = () => undefined;
  setHandler(lookAgain, () => {
    news += 1;
    leave();
  });

  let told: Told | null = null;
  for (;;) {
    const seen = news;
    const charge = await watchRows.charge(input.service);
    if (charge === null) {
      setCurrentDetails(`**${input.service}** is to be stopped: nothing to look after`);
      return;
    }
    if (charge.held_by !== null) {
      setCurrentDetails(`**${input.service}** is in the hands of ${charge.held_by}`);
      await condition(() => news !== seen, busyMs);
    } else {
      const before: Told | null = told?.epoch === charge.epoch ? told : null;
      setCurrentDetails(`**${input.service}**: looking after ${charge.release_id}, ${before?.finding ?? 'well'}`);
      const scope = new CancellationScope();
      leave = () => scope.cancel();
      const report = news === seen ? await standUntilNews(scope, input, charge, before) : null;
      leave = () => undefined;
      if (report !== null) told = await act(input, charge, report, before, () => news !== seen);
    }
    if (workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > 2_000) {
      if (news === seen) await continueAsNew<typeof watchService>(input);
    }
  }
}

/** null: somebody said that something has changed. */
async function standUntilNews(
  scope: CancellationScope,
  { box }: WatchInput,
  { instance, rules, expected_build_sha, soaked_at_ms }: Charge,
  told: Told | null,
): Promise<StandReport | null> {
  const end = Date.now() + standMs;
  const until_ms = soaked_at_ms === null ? end : Math.min(end, Math.max(soaked_at_ms, Date.now()));
  const known = told?.settled === true ? told.finding : null;
  try {
    return await scope.run(() => standingOn(box).stand({ instance, rules, expected_build_sha, until_ms, known }));
  } catch (error) {
    if (isCancellation(error) && scope.consideredCancelled) return null;
    throw error;
  }
}

async function act(
  input: WatchInput,
  charge: Charge,
  { verdict, dependency_down, rebooted }: StandReport,
  told: Told | null,
  hasNews: () => boolean,
): Promise<Told | null> {
  const { epoch, soaked_at_ms } = charge;
  if (!('failure_class' in verdict)) {
    const soaked = soaked_at_ms !== null && Date.now() >= soaked_at_ms;
    if (soaked && verdict.finding === 'well') await watchRows.markSoaked(input.service, charge.release_id);
    if (told !== null) await tell(input, charge, 'watch.recovered', { reason: verdict.reason });
    return null;
  }
  // Whoever changes the service says so before they touch it: then it went down because it was meant to.
  const now = await watchRows.charge(input.service);
  if (now?.epoch !== epoch || now.held_by !== null) return told;
  const decision = decideStanding({
    ...now,
    ...{ finding: verdict.finding, dependency_down, rebooted, now_ms: Date.now(), restart: charge.rules.restart },
    rollback: await watchRows.rollbackOf(input.service, charge.instance, verdict.failure_class),
  });
  if (told?.finding !== verdict.finding) {
    const { failure_class, reason, finding } = verdict;
    await tell(input, charge, 'error', { finding, failure_class, reason, decision }, eventPhaseOf[failure_class]);
  }
  await carryOut(input, charge, verdict, decision, hasNews);
  return { epoch, finding: verdict.finding, settled: decision.action === 'report' };
}

async function carryOut(
  input: WatchInput,
  charge: Charge,
  { failure_class, reason }: Bad,
  decision: StandingDecision,
  hasNews: () => boolean,
): Promise<void> {
  const { service, box } = input;
  switch (decision.action) {
    case 'roll_back':
      await watchRows.handOver({ service, box, deploy_id: uuid4() }, { epoch: charge.epoch, failure_class, reason });
      await condition(hasNews, busyMs);
      return;
    case 'restart':
      return restart(input, charge, reason);
    case 'wait':
      await condition(hasNews, Math.max(1, decision.until_ms - Date.now()));
      return;
    case 'report':
      return;
  }
}

/** The same release once more, under the lock of the service, if it still is what should run. */
async function restart({ service, box }: WatchInput, charge: Charge, reason: string): Promise<void> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  try {
    const lock = await lockIfFree(service, run);
    if (lock === null || (await watchRows.charge(service))?.epoch !== charge.epoch) return;
    const right = { service, lock_token: lock.token };
    const instance = await watchRows.placeRestart({ service, instance: charge.instance, epoch: charge.epoch, run_id });
    const { release_id } = charge;
    await operations.setDesired(service, charge.epoch, { release_id, state: 'running', instance });
    await onBox(box).stopOthers({ ...right, keep: [instance] });
    const started = await onBox(box).startInstance({ ...right, instance });
    await switchOn(box).pointTraffic({ ...right, instance });
    await tell({ service, box }, charge, 'watch.restarted', { reason, instance, ...started });
  } catch (error) {
    // The next look sees that it does not run, and the breaker counts this as a restart.
    if (isCancellation(error)) throw error;
    await tell({ service, box }, charge, 'watch.restart_failed', { reason: failureReason(error) });
  } finally {
    await CancellationScope.nonCancellable(() => operations.releaseLocks(run));
  }
}

/** null: somebody holds it, and so changes the service; what was seen is out of date when they are done. */
async function lockIfFree(
  service: string,
  run: { readonly workflow_id: string; readonly run_id: string },
): Promise<{ readonly token: string } | null> {
  try {
    const [lock] = await locksIfFree.takeLocks([{ resource: `service/${service}`, mode: 'exclusive' }], run);
    return lock ?? null;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return null;
  }
}

async function tell(
  { service }: WatchInput,
  { epoch, release_id }: Charge,
  type: string,
  data: Readonly<Record<string, unknown>>,
  phase: EventPhase | null = null,
): Promise<void> {
  // The same again when this step is repeated.
  const once = `${type}/${uuid4()}`;
  const actor = `watch/${service}`;
  await operations.appendEvent({
    type,
    phase,
    actor,
    subject: `service/${service}`,
    data: { epoch, release_id, ...data },
    once,
  });
}
