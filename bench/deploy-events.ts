import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import getPort from 'get-port';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StandOrder } from '../activities/watch.ts';
import { lookAgainSignal, watchWorkflowId } from '../domain/deploy/run.ts';
import type { Measured } from './deploy-figures.ts';
import { deployTo, type Bench } from './deploy-rounds.ts';

const expectedKinds = ['stop_first, promoted', 'stop_first, rolled_back', 'start_first, promoted'];
const dayMs = 86_400_000;

/** Of all deploys that were made for the other figures. */
export function eventsOfDeploys({ histories }: Bench): Measured {
  const kinds = [...histories].map(([kind, events]) => [kind, { deploys: events.length, most: Math.max(...events) }]);
  const missing = expectedKinds.filter((kind) => !histories.has(kind));
  return {
    value: missing.length > 0 ? null : Math.max(...[...histories.values()].flat()),
    how:
      missing.length > 0 ? `there was no deploy ${missing.join(', no ')}` : 'fetchHistory of each deploy of this run',
    detail: Object.fromEntries(kinds) as Record<string, unknown>,
  };
}

/** What looking after a service costs when all is well. The first look ends when the release has soaked, so that one is measured. */
export async function eventsOfStandingWatch(bench: Bench): Promise<Measured> {
  const { holdfast, workload, rules } = bench;
  const service = `${workload.driver}-watched`;
  const watch = { ...rules, soak_ms: 2_000, idle_period_ms: 500 };
  await holdfast.register(service, { ...workload.onPort(await getPort()), watch });
  await workload.commit();
  await deployTo(bench, service, 'promoted');
  const run = holdfast.client.workflow.getHandle(watchWorkflowId(service));

  const well = await whenLooking(run, 2);
  const [first, second] = well.looks.slice(-2) as [Look, Look];
  const soaked = well.scheduled.find(({ name, at }) => name === 'markSoaked' && at > first.at);
  const afterSoaked = well.scheduled.find(({ at }) => soaked !== undefined && at > soaked.at);
  if (soaked === undefined || afterSoaked === undefined) throw new Error(`${service} did not soak in its first look`);
  const ofSoaking = afterSoaked.at - soaked.at;
  const ofLook = second.at - first.at - ofSoaking;
  await run.signal(lookAgainSignal);
  const again = await whenLooking(run, well.looks.length + 1);
  const looksADay = dayMs / second.ms;
  return {
    value: Math.round(ofLook * looksADay),
    how: `one finished look is ${ofLook} events (from the scheduling of \`stand\` to that of the next, without the ${ofSoaking} that note the end of the soak, once a release); the next one was asked to go on for ${hours(second.ms)} h`,
    detail: {
      events_of_one_look: ofLook,
      looks_a_day: Math.round(looksADay * 100) / 100,
      events_of_one_look_again: again.events - well.events,
      events_once_a_release: ofSoaking,
    },
  };
}

interface Look {
  /** Index in the history. */
  readonly at: number;
  /** How long it was asked to go on. */
  readonly ms: number;
}

interface Watching {
  readonly events: number;
  readonly scheduled: readonly { readonly at: number; readonly name: string }[];
  readonly looks: readonly Look[];
}

/** The history of a watch while so many looks were begun and the last one is under way. */
async function whenLooking(run: WorkflowHandle, looks: number): Promise<Watching> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const now = await watching(run);
    if (now.looks.length >= looks && now.looks.at(-1)?.at === now.events - 1) return now;
    if (Date.now() > deadline) throw new Error(`${run.workflowId} has begun ${now.looks.length} looks, not ${looks}`);
    await sleep(100);
  }
}

async function watching(run: WorkflowHandle): Promise<Watching> {
  const { events } = await run.fetchHistory();
  const scheduled: { at: number; name: string }[] = [];
  const looks: Look[] = [];
  for (const [at, { activityTaskScheduledEventAttributes: order, eventTime }] of (events ?? []).entries()) {
    const name = order?.activityType?.name;
    if (name == null) continue;
    scheduled.push({ at, name });
    const input = order?.input?.payloads?.[0];
    if (name !== 'stand' || input == null) continue;
    const { until_ms } = defaultPayloadConverter.fromPayload<StandOrder>(input);
    looks.push({ at, ms: until_ms - Number(eventTime?.seconds ?? 0) * 1_000 });
  }
  return { events: events?.length ?? 0, scheduled, looks };
}

function hours(ms: number): string {
  return (ms / 3_600_000).toFixed(1);
}
