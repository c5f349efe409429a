import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { boxTaskQueue } from '../../domain/task-queue.ts';
import type { RunReference } from '../../adapters/temporal/start-alone.ts';
import { quietTemporal, replayFinished } from './replay.ts';
import { servers } from './servers.ts';
import { workflowBundle } from './workflow-bundle.ts';

const namespace = 'holdfast';
let connection: Connection;
let native: NativeConnection;
let client: Client;
const finished: (RunReference & { readonly name: string })[] = [];

beforeAll(async () => {
  quietTemporal();
  const address = servers().temporalAddress;
  connection = await Connection.connect({ address });
  native = await NativeConnection.connect({ address });
  client = new Client({ connection, namespace });
});
afterAll(async () => {
  await replayFinished(client, finished);
}, 300_000);
afterAll(async () => {
  await connection.close();
  await native.close();
});

export interface WorkflowToRun {
  /** The exported workflow. */
  readonly type: string;
  readonly workflowId: string;
  readonly input: object;
  /** Names the task queues of this run alone. */
  readonly box: string;
  readonly activities: object;
}

/**
 * One workflow on a real Temporal, with a worker for it and one for its box. When all of a file have run, their histories are
 * replayed: what finished once must finish the same again.
 */
export async function runOnTemporal<T>(
  { type, workflowId, input, box, activities }: WorkflowToRun,
  meanwhile: (handle: WorkflowHandle) => Promise<void> = async () => undefined,
): Promise<T> {
  const taskQueue = `t-${box}`;
  const common = { connection: native, namespace, activities };
  const main = await Worker.create({ ...common, taskQueue, workflowBundle: workflowBundle() });
  const onBox = await Worker.create({ ...common, taskQueue: boxTaskQueue(box) });
  const handle = await client.workflow.start(type, { workflowId, taskQueue, args: [input] });
  const result = await onBox.runUntil(
    main.runUntil(async () => {
      await meanwhile(handle);
      return (await handle.result()) as T;
    }),
  );
  const name = expect.getState().currentTestName ?? type;
  finished.push({ workflow_id: workflowId, run_id: handle.firstExecutionRunId, name });
  return result;
}
