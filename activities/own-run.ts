import { Context } from '@temporalio/activity';
import type { RunOfLock } from '../domain/lock.ts';

/** The run that this activity is of. */
export function ownRun(): RunOfLock {
  const { workflowExecution } = Context.current().info;
  if (workflowExecution === undefined) throw new Error('This activity is of no run');
  return { workflow_id: workflowExecution.workflowId, run_id: workflowExecution.runId };
}
