import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { deployWorkflowId, type DeployInput } from '../../domain/deploy/run.ts';
import { deployRequestSchema, type DeployResult } from '../../domain/deploy/schemas.ts';
import { newRelease, oldRelease, recordedBox, type RecordedBox as Box } from './recorded-box.ts';
import { quietTemporal, replayFinished } from './replay.ts';
import { servers } from './servers.ts';
import { workflowBundle } from './workflow-bundle.ts';

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

/** Runs one deploy on a real Temporal, then replays its history: what finished once must finish the same again. */
export async function run(
  box: Box,
  request: Parameters<typeof deployRequestSchema.parse>[0] = {},
  meanwhile?: (handle: WorkflowHandle) => Promise<void>,
  more: Partial<DeployInput> = {},
): Promise<DeployResult> {
  const id = randomUUID();
  const queue = `t-${id}`;
  const input: DeployInput = {
    deploy_id: id,
    service: `s-${id.slice(0, 8)}`,
    box: id,
    actor: 'tester',
    request: deployRequestSchema.parse(request),
    ...more,
  };
  const common = { connection: native, namespace: 'holdfast', activities: box.activities };
  const main = await Worker.create({ ...common, taskQueue: queue, workflowBundle: workflowBundle() });
  const onBox = await Worker.create({ ...common, taskQueue: `box-${id}` });
  const handle = await client.workflow.start('deploy', {
    workflowId: deployWorkflowId(input.service),
    taskQueue: queue,
    args: [input],
  });
  const result = await onBox.runUntil(
    main.runUntil(async () => {
      await meanwhile?.(handle);
      return (await handle.result()) as DeployResult;
    }),
  );
  await replayFinished(handle, expect.getState().currentTestName ?? 'deploy');
  return result;
}

export const exited = {
  running: false,
  healthy: false,
  answered: false,
  reason: 'process_exited:1',
  reported_build_sha: null,
};

/** A box on which the new release exits and the old one is well. */
export function badRelease(overrides: Parameters<typeof recordedBox>[0] = {}): Box {
  const box: Box = recordedBox({
    observeInstance: async (order) =>
      order.instance.endsWith('.rollback') ? box.looks(order, oldRelease) : box.looks(order, newRelease, exited),
    ...overrides,
  });
  return box;
}

/** A service on which no failure is rolled back. */
export const off = {
  deploy_failure: { self_hosted: false, external: false },
  watchdog_failure: { self_hosted: false, external: false },
  health_failure: { self_hosted: false, external: false },
};
