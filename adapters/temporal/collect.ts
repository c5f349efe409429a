import type { Client } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { mainTaskQueue } from '../../domain/task-queue.ts';
import { collectSignal, collectWorkflowId } from '../../domain/generation/garbage.ts';
import { keyword } from './start-alone.ts';

export type CollectRuns = ReturnType<typeof createCollectRuns>;

/** Starts what cleans up behind waves. */
export function createCollectRuns(client: Client) {
  return {
    /** After a commit, a discard, a rollback, and when a pin is gone. The one that runs looks once more. */
    async wake(project: string): Promise<void> {
      await client.workflow.signalWithStart('collectGenerations', {
        workflowId: collectWorkflowId(project),
        taskQueue: mainTaskQueue,
        args: [{ project }],
        signal: collectSignal,
        workflowTaskTimeout: '5 seconds',
        typedSearchAttributes: new TypedSearchAttributes([
          { key: keyword('HoldfastKind'), value: 'collect' },
          { key: keyword('HoldfastSubject'), value: `project/${project}` },
        ]),
        staticSummary: `Cleans up behind the waves of ${project}`,
      });
    },
  };
}
