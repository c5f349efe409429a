import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { boxTaskQueue } from '../../domain/task-queue.ts';
import type { RunReference } from '../../adapters/temporal/start-alone.ts';
import { permanentFailures } from '../../workers/interceptors.ts';
import { quietTemporal, replayFinished } from './replay.ts';
import { servers } from './servers.ts';
import { workflowBundle } from './workflow-bundle.ts';

const namespace = 'holdfast';
/** Of this file alone: the box that its runs are on, and what names their task queues. */
export const ownBox: string = randomUUID();

let connection: Connection;
let native: NativeConnection;
let client: Client;
let workers: OwnWorkers | null = null;
/** Of the run that is under way; the runs of a file come one after the other. */
let current: Activities = {};
const finished: (RunReference & { readonly name: string })[] = [];

beforeAll(async () => {
  quietTemporal();
  const address = servers().temporalAddress;
  connection = await Connection.connect({ address });
  native = await NativeConnection.connect({ address });
  client = new Client({ connection, namespace });
});
afterAll(async () => {
  await workers?.end();
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
  /** The same names in all runs of a file. */
  readonly activities: object;
}

type Activities = Readonly<Record<string, (...args: unknown[]) => unknown>>;

/**
 * One workflow on a real Temporal, on this file's worker for workflows and that for `ownBox`. When all of a file have run,
 * their histories are replayed: what finished once must finish the same again.
 */
export async function runOnTemporal<T>(
  { type, workflowId, input, activities }: WorkflowToRun,
  meanwhile: (handle: WorkflowHandle) => Promise<void> = async () => undefined,
): Promise<T> {
  current = activities as Activities;
  workers ??= await startWorkers(Object.keys(activities));
  const handle = await client.workflow.start(type, { workflowId, taskQueue: mainQueue, args: [input] });
  const [result] = await Promise.race([
    Promise.all([handle.result() as Promise<T>, meanwhile(handle)]),
    workers.failed,
  ]);
  const name = expect.getState().currentTestName ?? type;
  finished.push({ workflow_id: workflowId, run_id: handle.firstExecutionRunId, name });
  return result;
}

const mainQueue = `t-${ownBox}`;

interface OwnWorkers {
  /** Rejects when one of them ends by itself. */
  readonly failed: Promise<never>;
  end(): Promise<void>;
}

/** To make them costs more than most runs: they are made once a file, and do what the run that is under way says. */
async function startWorkers(names: readonly string[]): Promise<OwnWorkers> {
  const activities = Object.fromEntries(
    names.map((name) => [name, (...args: unknown[]): unknown => current[name]?.(...args)]),
  );
  const interceptors = { activity: [() => ({ inbound: permanentFailures() })] };
  const common = { connection: native, namespace, activities, interceptors };
  const both = await Promise.all([
    Worker.create({ ...common, taskQueue: mainQueue, workflowBundle: workflowBundle() }),
    Worker.create({ ...common, taskQueue: boxTaskQueue(ownBox) }),
  ]);
  const running = Promise.all(both.map((worker) => worker.run()));
  const failed = new Promise<never>((_, reject) => {
    running.catch(reject);
  });
  failed.catch(() => undefined);
  return {
    failed,
    async end() {
      for (const worker of both) worker.shutdown();
      await running;
    },
  };
}
