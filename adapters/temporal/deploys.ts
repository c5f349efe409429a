import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  type Client,
} from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { deployWorkflowId, mainTaskQueue, type DeployInput, type StopInput } from '../../domain/deploy/run.ts';

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
const endingMs = 10_000;

export type DeployRuns = ReturnType<typeof createDeployRuns>;

/** Starts the runs that change a service. Both kinds share one workflow id, so one at a time. */
export function createDeployRuns(client: Client) {
  return {
    start: (input: DeployInput): Promise<RunReference> => start(client, 'deploy', input, input.deploy_id),
    stop: (input: StopInput): Promise<RunReference> => start(client, 'stopService', input, null),
  };
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
