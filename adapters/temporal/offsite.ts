import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type Client } from '@temporalio/client';
import {
  pullWorkflowId,
  pushNowSignal,
  pushWorkflowId,
  type PullInput,
  type PushInput,
} from '../../domain/offsite/run.ts';
import { mainTaskQueue } from '../../domain/task-queue.ts';
import { startAlone, type RunReference } from './start-alone.ts';

export type OffsiteRuns = ReturnType<typeof createOffsiteRuns>;

/** One push a target, that everybody may wake; one pull a target at a time. */
export function createOffsiteRuns(client: Client) {
  return {
    async push(input: PushInput): Promise<RunReference> {
      const workflowId = pushWorkflowId(input.target);
      const handle = await client.workflow.signalWithStart('push', {
        ...{ workflowId, taskQueue: mainTaskQueue, args: [input], signal: pushNowSignal },
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
        staticSummary: `Recovery points for ${input.target}`,
      });
      return { workflow_id: workflowId, run_id: handle.signaledRunId };
    },

    /** Throws RunInTheWay. */
    pull(input: PullInput): Promise<RunReference> {
      const { actor, backup_id, request } = input;
      return startAlone(client, {
        ...{ workflow: 'pull', workflowId: pullWorkflowId(request.target), input, actor, record_id: backup_id },
        ...{ kind: 'pull', subject: 'backup' },
        summary: `Pull from ${request.target}, asked for by ${actor}`,
      });
    },
  };
}
