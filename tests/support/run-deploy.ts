import type { WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { deployWorkflowId, type DeployInput } from '../../domain/deploy/run.ts';
import { deployRequestSchema, type DeployResult } from '../../domain/deploy/schemas.ts';
import { ownBox, runOnTemporal } from './on-temporal.ts';
import { newRelease, oldRelease, recordedBox, type RecordedBox as Box } from './recorded-box.ts';

/** Runs one deploy on a real Temporal. */
export async function run(
  box: Box,
  request: Parameters<typeof deployRequestSchema.parse>[0] = {},
  meanwhile?: (handle: WorkflowHandle) => Promise<void>,
  more: Partial<DeployInput> = {},
): Promise<DeployResult> {
  const id = randomUUID();
  const input: DeployInput = {
    deploy_id: id,
    service: `s-${id.slice(0, 8)}`,
    box: ownBox,
    actor: 'tester',
    request: deployRequestSchema.parse(request),
    ...more,
  };
  const { activities } = box;
  const workflowId = deployWorkflowId(input.service);
  return runOnTemporal({ type: 'deploy', workflowId, input, activities }, meanwhile);
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
