import type { DeployActivities } from '../activities/deploy.ts';
import {
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { StopInput } from '../domain/deploy/run.ts';
import { locks, onBox, operations, switchOn } from './proxies.ts';
import { failureReason } from './failure-reason.ts';
import { phaseKey } from './search-attributes.ts';

/** Takes a service down because an operator asked for it. Its releases stay; the next deploy brings it back. */
export async function stopService({ service, box, actor }: StopInput): Promise<{ stopped: readonly string[] }> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  try {
    const [lock] = await locks.takeLocks([{ resource: `service/${service}`, mode: 'exclusive' }], run);
    if (lock === undefined) throw ApplicationFailure.nonRetryable('No lock was given');
    const { desired } = await operations.serviceFacts(service, null);
    await operations.setDesired(service, desired.epoch, {
      release_id: desired.release_id,
      state: 'stopped',
      instance: null,
    });
    const right = { service, lock_token: lock.token };
    const stopped = await onBox(box).stopOthers({ ...right, keep: [] });
    const left = await removeSwitch(box, { ...right, instance: desired.instance });
    upsertSearchAttributes([{ key: phaseKey, value: 'closed' }]);
    await operations.appendEvent({
      type: 'service.stopped',
      subject: `service/${service}`,
      actor,
      data: { stopped, ...left },
      once: `${run_id}/service.stopped`,
    });
    return { stopped };
  } finally {
    await CancellationScope.nonCancellable(async () => {
      await operations.releaseLocks(run);
      await operations.wakeWatch(service);
    });
  }
}

/** A proxy that is away keeps its route, which leads nowhere now; the service is stopped all the same, and the event says so. */
async function removeSwitch(
  box: string,
  order: Parameters<DeployActivities['removeSwitch']>[0],
): Promise<{ readonly switch_left?: string }> {
  try {
    await switchOn(box).removeSwitch(order);
    return {};
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { switch_left: failureReason(error) };
  }
}
