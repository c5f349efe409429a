import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Worker } from '@temporalio/worker';
import { join } from 'node:path';
import { packageRoot } from '../infra/package-root.ts';

export interface Latency {
  /** Start to finish of one empty workflow, one after the other: the median of 50. */
  readonly median_ms: number;
  /** 100 empty workflows started at once: until the last is done. */
  readonly hundred_at_once_ms: number;
}

/** Measures a Temporal server with empty workflows. */
export async function measureLatency(address: string, namespace: string): Promise<Latency> {
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  const taskQueue = `bench-${process.pid}-${Date.now()}`;
  const { code } = await bundleWorkflowCode({ workflowsPath: join(packageRoot, 'dist/bench/noop-workflow.js') });
  const worker = await Worker.create({ connection: native, namespace, taskQueue, workflowBundle: { code } });
  const once = (i: number): Promise<unknown> =>
    client.workflow.execute('noop', { taskQueue, workflowId: `${taskQueue}-${i}` });
  try {
    return await worker.runUntil(async () => {
      for (let i = 0; i < 5; i += 1) await once(i);
      const times: number[] = [];
      for (let i = 100; i < 150; i += 1) times.push(await timed(() => once(i)));
      const hundred = await timed(() => Promise.all(Array.from({ length: 100 }, (_, i) => once(1_000 + i))));
      return { median_ms: median(times), hundred_at_once_ms: hundred };
    });
  } finally {
    await native.close();
    await connection.close();
  }
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return Math.round((performance.now() - since) * 10) / 10;
}
