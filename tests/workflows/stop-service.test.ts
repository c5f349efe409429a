import { ApplicationFailure } from '@temporalio/common';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { recordedBox } from '../support/recorded-box.ts';
import { quietTemporal, replayFinished } from '../support/replay.ts';
import { servers } from '../support/servers.ts';
import { workflowBundle } from '../support/workflow-bundle.ts';

let connection: Connection;
let native: NativeConnection;
let client: Client;

beforeAll(async () => {
  quietTemporal();
  const address = servers().temporalAddress;
  connection = await Connection.connect({ address });
  native = await NativeConnection.connect({ address });
  client = new Client({ connection, namespace: 'holdfast' });
});
afterAll(async () => {
  await connection.close();
  await native.close();
});

async function stop(removeSwitch: () => Promise<void>): Promise<{ calls: readonly string[]; told: object[] }> {
  const id = randomUUID();
  const told: object[] = [];
  const box = recordedBox({
    appendEvent: async ({ type, data }) => void told.push({ type, ...(data as object) }),
    removeSwitch,
    releaseLocks: async () => void box.calls.push('released'),
  });
  const common = { connection: native, namespace: 'holdfast', activities: box.activities };
  const main = await Worker.create({ ...common, taskQueue: `t-${id}`, workflowBundle: workflowBundle() });
  const onBox = await Worker.create({ ...common, taskQueue: `box-${id}` });
  const handle = await client.workflow.start('stopService', {
    workflowId: `stop-${id}`,
    taskQueue: `t-${id}`,
    args: [{ service: `s-${id.slice(0, 8)}`, box: id, actor: 'tester' }],
  });
  await onBox.runUntil(main.runUntil(() => handle.result()));
  await replayFinished(handle, expect.getState().currentTestName ?? 'stop');
  return { calls: box.calls, told };
}

test('D1 a service that is stopped: nothing runs, and the lock is free', async () => {
  const { calls, told } = await stop(async () => undefined);
  expect(calls.at(-1)).toBe('released');
  expect(told).toMatchObject([{ type: 'service.stopped' }]);
  expect(told[0]).not.toHaveProperty('switch_left');
});

test('D11 a service is stopped also while a proxy is away, and the event says that its route is left', async () => {
  const { calls, told } = await stop(async () => {
    throw ApplicationFailure.nonRetryable('Caddy does not answer');
  });
  expect(calls.at(-1)).toBe('released');
  expect(told).toMatchObject([
    { type: 'service.stopped', switch_left: expect.stringContaining('Caddy does not answer') as string },
  ]);
});
