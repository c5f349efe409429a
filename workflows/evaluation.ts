import {
  ActivityCancellationType,
  CancellationScope,
  proxyActivities,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { EvaluationActivities } from '../activities/evaluation.ts';
import { boxTaskQueue } from '../domain/task-queue.ts';
import type { EvaluationInput } from '../domain/evaluation/run.ts';
import { heartbeatBoundMs } from '../domain/generation/generation.ts';
import { failureReason } from './failure-reason.ts';
import { locks, operations } from './proxies.ts';
import { phaseKey } from './search-attributes.ts';

/** Measures how well is answered, and keeps the figures. What it wrote to find out is taken away again. */
export async function evaluation(input: EvaluationInput): Promise<void> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  try {
    // A restore would take away what is being asked.
    await locks.takeLocks([{ resource: 'data', mode: 'shared' }], run);
    await measuringOn(input.box).evaluate(input);
  } catch (error) {
    await CancellationScope.nonCancellable(() => endingOn(input.box).failEvaluation(input, failureReason(error)));
  } finally {
    await CancellationScope.nonCancellable(async () => {
      await endingOn(input.box).endEvaluation(input);
      await operations.releaseLocks(run);
      upsertSearchAttributes([{ key: phaseKey, value: 'closed' }]);
    });
  }
}

function measuringOn(box: string) {
  return proxyActivities<Pick<EvaluationActivities, 'evaluate'>>({
    taskQueue: boxTaskQueue(box),
    // A public collection of half a million documents, embedded on two cores.
    startToCloseTimeout: '24 hours',
    scheduleToCloseTimeout: '48 hours',
    heartbeatTimeout: heartbeatBoundMs / 4,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // Stores that restart are back in seconds; a model that stays away for ten minutes is told as a failure.
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 20 },
  });
}

/** What it holds in place and what it wrote would stay for ever: waited for until the stores are back. */
function endingOn(box: string) {
  return proxyActivities<Pick<EvaluationActivities, 'failEvaluation' | 'endEvaluation'>>({
    taskQueue: boxTaskQueue(box),
    startToCloseTimeout: '10 minutes',
    scheduleToCloseTimeout: '7 days',
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '1 minute' },
  });
}
