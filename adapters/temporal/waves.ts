import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import {
  againSignal,
  waveCommandUpdate,
  waveWorkflowId,
  type WaveCommandMessage,
  type WaveInput,
} from '../../domain/wave/run.ts';
import { RunInTheWay, startAlone, type RunReference } from './start-alone.ts';

export type WaveRuns = ReturnType<typeof createWaveRuns>;

/** Starts waves, one at a time a project, and speaks to them. */
export function createWaveRuns(client: Client) {
  const start = (input: WaveInput): Promise<RunReference> => {
    const { project, actor, wave_id, request } = input;
    return startAlone(client, {
      ...{ workflow: 'wave', workflowId: waveWorkflowId(project), input, actor, record_id: wave_id },
      ...{ kind: 'wave', subject: `project/${project}` },
      summary: `Wave ${request.name} of ${project}, asked for by ${actor}`,
    });
  };

  /** Tells a wave that runs that another one is to follow it. False: none runs. */
  async function again(project: string): Promise<boolean> {
    try {
      await client.workflow.getHandle(waveWorkflowId(project)).signal(againSignal);
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  return {
    start,

    /** Row W9: a wave, or one more after that which runs. Several at once are one. */
    async refresh(input: WaveInput): Promise<RunReference> {
      for (;;) {
        try {
          return await start(input);
        } catch (error) {
          if (!(error instanceof RunInTheWay)) throw error;
          if (await again(input.project)) return error.run;
        }
      }
    },

    /** The run's own word. Rejects with WorkflowUpdateFailedError when it refuses, WorkflowNotFoundError when it is over. */
    async command({ workflow_id, run_id }: RunReference, message: WaveCommandMessage): Promise<void> {
      // A long wave has several runs, one after the other: the id leads to the one that runs now.
      const handle = client.workflow.getHandle(workflow_id, undefined, { firstExecutionRunId: run_id });
      await handle.executeUpdate<boolean, [WaveCommandMessage]>(waveCommandUpdate, { args: [message] });
    },
  };
}
