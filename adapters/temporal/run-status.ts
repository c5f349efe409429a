import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { RunOfLock } from '../../domain/lock.ts';

/** Is this run over? A run that Temporal does not know any more is: only its history can outlive it. */
export function createRunStatus(client: Client) {
  return async function isClosed({ workflow_id, run_id }: RunOfLock): Promise<boolean> {
    try {
      const { status } = await client.workflow.getHandle(workflow_id, run_id).describe();
      return status.name !== 'RUNNING' && status.name !== 'PAUSED';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return true;
      throw error;
    }
  };
}
