import {
  ApplicationFailure,
  executeChild,
  ParentClosePolicy,
  setCurrentDetails,
  sleep,
  uuid4,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { ScheduleActivities } from '../activities/schedules.ts';
import { childOf, isFailure, type ScheduledOrder } from '../domain/schedule/order.ts';
import type { ScheduleName } from '../domain/schedule/schedules.ts';
import { rowActivities } from './proxies.ts';
import { kindKey, phaseKey, subjectKey } from './search-attributes.ts';

const rows = rowActivities<ScheduleActivities>();

/** What a schedule starts (B10). The run that it starts is the same as a person's; one that fails makes this one fail as well, which Temporal shows. */
export async function scheduled({ name }: { readonly name: ScheduleName }): Promise<string> {
  // As the row says now: what was changed since the schedule was made counts.
  const order = await rows.scheduledOrder(name);
  if (order === null) return 'not enabled';
  const outcome = await run(order, uuid4());
  setCurrentDetails(`**${name}**: ${outcome}`);
  if (isFailure(order.action, outcome))
    throw ApplicationFailure.nonRetryable(`The run came to ${outcome}`, 'ScheduledRunFailed');
  return outcome;
}

/** How often one that is in the way is waited for; one that has told its result is over within seconds. */
const looks = 3;

async function run(order: ScheduledOrder, id: string): Promise<string> {
  const { type, workflowId, input, subject } = childOf(order, id);
  for (let look = 1; ; look += 1) {
    try {
      const { outcome } = await executeChild<() => Promise<{ outcome: string | null }>>(type, {
        workflowId,
        args: [input] as never,
        // It is a run like any other: nobody ends it by ending what asked for it.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        memo: { record_id: id, actor: 'schedule' },
        typedSearchAttributes: [
          { key: kindKey, value: order.action },
          { key: subjectKey, value: subject },
          { key: phaseKey, value: 'requested' },
        ],
      });
      return outcome ?? 'none';
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      // What runs does the same work.
      if (look === looks) return 'skipped';
      await sleep('5 seconds');
    }
  }
}
