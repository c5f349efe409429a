import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
  type Client,
} from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  deployWorkflowId,
  lookAgainSignal,
  mainTaskQueue,
  overrideUpdate,
  watchWorkflowId,
  type DeployInput,
  type StopInput,
  type WatchInput,
} from '../../domain/deploy/run.ts';
import type { OverrideJudgement, OverrideMessage } from '../../domain/deploy/override.ts';

export interface RunReference {
  readonly workflow_id: string;
  readonly run_id: string;
}

/** Another run holds the subject. */
export class RunInTheWay extends Error {
  override readonly name = 'RunInTheWay';
  constructor(
    readonly run: RunReference,
    /** The deploy that run carries out; null when it is not a deploy. */
    readonly deploy_id: string | null,
  ) {
    super(`${run.workflow_id} is running (run ${run.run_id})`);
  }
}

/** How long a run that has told its result may take to be over. */
const endingMs = 12_000;

export type DeployRuns = ReturnType<typeof createDeployRuns>;

/** Starts the runs that change a service. Both kinds share one workflow id, so one at a time. */
export function createDeployRuns(client: Client) {
  return {
    start: (input: DeployInput): Promise<RunReference> => start(client, 'deploy', input, input.deploy_id),
    stop: (input: StopInput): Promise<RunReference> => start(client, 'stopService', input, null),
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

async function start(
  client: Client,
  workflow: 'deploy' | 'stopService',
  input: DeployInput | StopInput,
  deployId: string | null,
): Promise<RunReference> {
  const deadline = Date.now() + endingMs;
  for (;;) {
    const started = await tryStart(client, workflow, input, deployId);
    if (started !== null) return started;
    const handle = client.workflow.getHandle(deployWorkflowId(input.service));
    const running = await handle.describe();
    // Its result has been told already; that it is not quite over is no reason to refuse.
    const ending = running.typedSearchAttributes.get(keyword('HoldfastPhase')) === 'closed';
    if (running.status.name === 'RUNNING' && !(ending && Date.now() < deadline)) {
      const deploy = running.memo?.['deploy_id'];
      const run = { workflow_id: running.workflowId, run_id: running.runId };
      throw new RunInTheWay(run, typeof deploy === 'string' ? deploy : null);
    }
    await sleep(50);
  }
}

/** null: a run of this subject is there. */
async function tryStart(
  client: Client,
  workflow: 'deploy' | 'stopService',
  input: DeployInput | StopInput,
  deployId: string | null,
): Promise<RunReference | null> {
  const workflowId = deployWorkflowId(input.service);
  try {
    const handle = await client.workflow.start(workflow, {
      workflowId,
      taskQueue: mainTaskQueue,
      args: [input],
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      memo: { deploy_id: deployId, actor: input.actor },
      typedSearchAttributes: new TypedSearchAttributes([
        { key: keyword('HoldfastKind'), value: workflow === 'deploy' ? 'deploy' : 'stop' },
        { key: keyword('HoldfastSubject'), value: `service/${input.service}` },
      ]),
      // A worker that dies with a task in its hands holds it up for this long; ten seconds would be the default.
      workflowTaskTimeout: '5 seconds',
      staticSummary: `${workflow === 'deploy' ? 'Deploy' : 'Stop'} ${input.service}, asked for by ${input.actor}`,
    });
    return { workflow_id: workflowId, run_id: handle.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return null;
  }
}

function keyword(name: string) {
  return defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
}
