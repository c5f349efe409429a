import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  type Client,
} from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { mainTaskQueue } from '../../domain/task-queue.ts';

export interface RunReference {
  readonly workflow_id: string;
  readonly run_id: string;
}

/** Another run holds the subject. */
export class RunInTheWay extends Error {
  override readonly name = 'RunInTheWay';
  constructor(
    readonly run: RunReference,
    /** The deploy or wave that run carries out; null when it is neither. */
    readonly record_id: string | null,
  ) {
    super(`${run.workflow_id} is running (run ${run.run_id})`);
  }
}

export interface LoneRun {
  readonly workflow: string;
  /** The lock of the subject. */
  readonly workflowId: string;
  readonly input: object;
  readonly actor: string;
  readonly record_id: string | null;
  /** Search attributes. */
  readonly kind: string;
  readonly subject: string;
  readonly summary: string;
}

/** How long a run that has told its result may take to be over. */
const endingMs = 12_000;

/** Starts a run unless one of this id is there. Throws RunInTheWay. */
export async function startAlone(client: Client, run: LoneRun): Promise<RunReference> {
  const deadline = Date.now() + endingMs;
  for (;;) {
    const started = await tryStart(client, run);
    if (started !== null) return started;
    const running = await client.workflow.getHandle(run.workflowId).describe();
    // Its result has been told already; that it is not quite over is no reason to refuse.
    const ending = running.typedSearchAttributes.get(keyword('HoldfastPhase')) === 'closed';
    if (running.status.name === 'RUNNING' && !(ending && Date.now() < deadline)) {
      const record = running.memo?.['record_id'] ?? running.memo?.['deploy_id'];
      const inTheWay = { workflow_id: running.workflowId, run_id: running.runId };
      throw new RunInTheWay(inTheWay, typeof record === 'string' ? record : null);
    }
    await sleep(50);
  }
}

/** null: a run of this subject is there. */
async function tryStart(client: Client, run: LoneRun): Promise<RunReference | null> {
  const { workflow, workflowId, input, actor, record_id, kind, subject, summary } = run;
  try {
    const handle = await client.workflow.start(workflow, {
      workflowId,
      taskQueue: mainTaskQueue,
      args: [input],
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      memo: { record_id, actor },
      typedSearchAttributes: new TypedSearchAttributes([
        { key: keyword('HoldfastKind'), value: kind },
        { key: keyword('HoldfastSubject'), value: subject },
      ]),
      // A worker that dies with a task in its hands holds it up for this long; ten seconds would be the default.
      workflowTaskTimeout: '5 seconds',
      staticSummary: summary,
    });
    return { workflow_id: workflowId, run_id: handle.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return null;
  }
}

export function keyword(name: string) {
  return defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
}
