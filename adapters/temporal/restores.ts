import type { Client } from '@temporalio/client';
import {
  restoreCommandUpdate,
  restoreWorkflowId,
  type RestoreCommandMessage,
  type RestoreInput,
} from '../../domain/restore/run.ts';
import { startAlone, type RunReference } from './start-alone.ts';

export type RestoreStarts = ReturnType<typeof createRestoreStarts>;

/** Starts restores, one at a time, and speaks to the one that runs or is held. */
export function createRestoreStarts(client: Client) {
  return {
    /** Throws RunInTheWay, also while another one is held: only one old side can be put back. */
    start(input: RestoreInput): Promise<RunReference> {
      const { actor, restore_id, stamp } = input;
      return startAlone(client, {
        ...{ workflow: 'restore', workflowId: restoreWorkflowId, input, actor, record_id: restore_id },
        ...{ kind: 'restore', subject: `backup/${stamp}` },
        summary: `Restore of ${stamp}, asked for by ${actor}`,
      });
    },

    /** The run's own word. Rejects with WorkflowUpdateFailedError when it refuses, WorkflowNotFoundError when it is over. */
    async command(message: RestoreCommandMessage): Promise<void> {
      const handle = client.workflow.getHandle(restoreWorkflowId);
      await handle.executeUpdate<boolean, [RestoreCommandMessage]>(restoreCommandUpdate, { args: [message] });
    },
  };
}
