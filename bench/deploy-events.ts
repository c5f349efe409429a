import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import getPort from 'get-port';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StandOrder } from '../activities/watch.ts';
import { watchWorkflowId } from '../domain/deploy/run.ts';
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
  const [first, second] = await twoLooks(holdfast.client.workflow.getHandle(watchWorkflowId(service)));
  const ofLook = second.at - first.at;
  const looksADay = dayMs / second.ms;
  return {
    value: Math.round(ofLook * looksADay),
    how: `one finished look is ${ofLook} events, with the one that notes the end of the soak; the next one was asked to go on for ${(second.ms / 3_600_000).toFixed(1)} h`,
    detail: { events_of_one_look: ofLook, looks_a_day: Math.round(looksADay * 100) / 100 },
  };
}

interface Look {
  /** Index in the history. */
  readonly at: number;
  /** How long it was asked to go on. */
  readonly ms: number;
}

/** The last two of a watch that has begun its second. */
async function twoLooks(run: WorkflowHandle): Promise<readonly [Look, Look]> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const looks = await looksOf(run);
    const [first, second] = looks.slice(-2);
    if (first !== undefined && second !== undefined) return [first, second];
    if (Date.now() > deadline) throw new Error(`${run.workflowId} has begun ${looks.length} looks, not 2`);
    await sleep(100);
  }
}

async function looksOf(run: WorkflowHandle): Promise<readonly Look[]> {
  const { events } = await run.fetchHistory();
  return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: order, eventTime }, at) => {
    const input = order?.input?.payloads?.[0];
    if (order?.activityType?.name !== 'stand' || input == null) return [];
    const { until_ms } = defaultPayloadConverter.fromPayload<StandOrder>(input);
    return [{ at, ms: until_ms - Number(eventTime?.seconds ?? 0) * 1_000 }];
  });
}
