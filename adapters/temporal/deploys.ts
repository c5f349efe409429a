import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import {
  deployWorkflowId,
  lookAgainSignal,
  overrideUpdate,
  watchWorkflowId,
  type DeployInput,
  type StopInput,
  type WatchInput,
} from '../../domain/deploy/run.ts';
import { mainTaskQueue } from '../../domain/task-queue.ts';
import type { OverrideJudgement, OverrideMessage } from '../../domain/deploy/override.ts';
import { keyword, startAlone, type LoneRun, type RunReference } from './start-alone.ts';

export type DeployRuns = ReturnType<typeof createDeployRuns>;

/** Starts the runs that change a service. Both kinds share one workflow id, so one at a time. */
export function createDeployRuns(client: Client) {
  return {
    start: (input: DeployInput): Promise<RunReference> => startAlone(client, deployOf(input)),
    stop: (input: StopInput): Promise<RunReference> => startAlone(client, stopOf(input)),
    override: (run: RunReference, message: OverrideMessage) => override(client, run, message),
    wakeWatch: (input: WatchInput) => wakeWatch(client, input),
    tellWatch: (service: string) => tellWatch(client, service),
  };
}

/** The run's own word on an override. The same id twice is one override. Throws when the run is over. */
async function override(
  client: Client,
  { workflow_id, run_id }: RunReference,
  message: OverrideMessage,
): Promise<OverrideJudgement> {
  const handle = client.workflow.getHandle(workflow_id, run_id);
  return handle.executeUpdate<OverrideJudgement, [OverrideMessage]>(overrideUpdate, {
    args: [message],
    ...(message.override_id === undefined ? {} : { updateId: message.override_id }),
  });
}

/** A watch that runs looks again; where there is none, there is nobody to tell. */
async function tellWatch(client: Client, service: string): Promise<void> {
  try {
    await client.workflow.getHandle(watchWorkflowId(service)).signal(lookAgainSignal);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

/** The watch of a service looks again at what it should look after; it begins where there is none. */
async function wakeWatch(client: Client, input: WatchInput): Promise<void> {
  await client.workflow.signalWithStart('watchService', {
    workflowId: watchWorkflowId(input.service),
    taskQueue: mainTaskQueue,
    args: [input],
    signal: lookAgainSignal,
    workflowTaskTimeout: '5 seconds',
    typedSearchAttributes: new TypedSearchAttributes([
      { key: keyword('HoldfastKind'), value: 'watch' },
      { key: keyword('HoldfastSubject'), value: `service/${input.service}` },
    ]),
    staticSummary: `Looks after ${input.service}`,
  });
}

function deployOf(input: DeployInput): LoneRun {
  const { service, actor, deploy_id } = input;
  const summary = `Deploy ${service}, asked for by ${actor}`;
  return { workflow: 'deploy', kind: 'deploy', record_id: deploy_id, summary, ...subjectOf(input) };
}

function stopOf(input: StopInput): LoneRun {
  const summary = `Stop ${input.service}, asked for by ${input.actor}`;
  return { workflow: 'stopService', kind: 'stop', record_id: null, summary, ...subjectOf(input) };
}

/** Both kinds of run have one id, so one at a time. */
function subjectOf(input: DeployInput | StopInput) {
  const { service, actor } = input;
  return { input, actor, workflowId: deployWorkflowId(service), subject: `service/${service}` };
}
