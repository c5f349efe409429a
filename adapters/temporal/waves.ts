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
  async function again({ project, actor }: WaveInput): Promise<boolean> {
    try {
      await client.workflow.getHandle(waveWorkflowId(project)).signal(againSignal, actor);
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  return {
    start,

    /**
     * Row W9: a wave, or one more after that which runs, of all sources. Several at once are one. Throws RunInTheWay where only a
     * plan was asked for.
     */
    async refresh(input: WaveInput): Promise<RunReference> {
      for (;;) {
        try {
          return await start(input);
        } catch (error) {
          if (!(error instanceof RunInTheWay) || input.request.dry_run) throw error;
          if (error.record_id === input.wave_id || (await again(input))) return error.run;
        }
      }
    },

    /** The run's own word. Rejects with WorkflowUpdateFailedError when it refuses, WorkflowNotFoundError when it is over. */
    async command(project: string, message: WaveCommandMessage): Promise<void> {
      // A long wave has several runs, one after the other: the id leads to the one that runs now.
      const handle = client.workflow.getHandle(waveWorkflowId(project));
      await handle.executeUpdate<boolean, [WaveCommandMessage]>(waveCommandUpdate, { args: [message] });
    },
  };
}
