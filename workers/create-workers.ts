import { Worker, type NativeConnection, type WorkflowBundleOption } from '@temporalio/worker';
import { boxTaskQueue, mainTaskQueue } from '../domain/task-queue.ts';
import { permanentFailures } from './interceptors.ts';

export interface WorkerOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly box: string;
  readonly workflowBundle: WorkflowBundleOption;
  readonly activities: { readonly main: object; readonly box: object };
  readonly buildId: string;
}

/** Two workers in one process: the workflows with the database's activities, and the side effects on this box. */
export async function createWorkers(options: WorkerOptions): Promise<readonly [Worker, Worker]> {
  const { connection, namespace } = options;
  const interceptors = { activity: [() => ({ inbound: permanentFailures() })] };
  const identity = `${process.pid}@${options.box} ${options.buildId}`;
  return Promise.all([
    Worker.create({
      connection,
      namespace,
      identity,
      taskQueue: mainTaskQueue,
      workflowBundle: options.workflowBundle,
      // Tasks kept warm for a worker that has died go to the next one after this long.
      stickyQueueScheduleToStartTimeout: '2 seconds',
      activities: options.activities.main,
      interceptors,
      shutdownGraceTime: '5 seconds',
    }),
    Worker.create({
      connection,
      namespace,
      identity,
      taskQueue: boxTaskQueue(options.box),
      activities: options.activities.box,
      interceptors,
      shutdownGraceTime: '5 seconds',
    }),
  ]);
}
