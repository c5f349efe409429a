import { ApplicationFailure } from '@temporalio/common';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { deployWorkflowId, type DeployInput } from '../../domain/deploy/run.ts';
import { deployRequestSchema, type DeployResult } from '../../domain/deploy/schemas.ts';
import { newRelease, oldRelease, recordedBox } from '../support/recorded-box.ts';
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

type Box = ReturnType<typeof recordedBox>;

/** Runs one deploy on a real Temporal, then replays its history: what finished once must finish the same again. */
async function run(
  box: Box,
  request: Parameters<typeof deployRequestSchema.parse>[0] = {},
  meanwhile?: (handle: { cancel(): Promise<unknown> }) => Promise<void>,
): Promise<DeployResult> {
  const id = randomUUID();
  const queue = `t-${id}`;
  const input: DeployInput = {
    deploy_id: id,
    service: `s-${id.slice(0, 8)}`,
    box: id,
    actor: 'tester',
    request: deployRequestSchema.parse(request),
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

const exited = {
  running: false,
  healthy: false,
  answered: false,
  reason: 'process_exited:1',
  reported_build_sha: null,
};

/** A box on which the new release exits and the old one is well. */
function badRelease(overrides: Parameters<typeof recordedBox>[0] = {}): Box {
  const box: Box = recordedBox({
    observeInstance: async (_, instance, count) =>
      instance.endsWith('.rollback') ? box.samples(count, oldRelease) : box.samples(1, newRelease, exited),
    ...overrides,
  });
  return box;
}

describe('the deploy state machine', () => {
  test('D4 a release that stays good is promoted', async () => {
    const box = recordedBox();
    const result = await run(box);
    expect(result).toMatchObject({
      outcome: 'promoted',
      deployed_release_id: newRelease,
      previous_release_id: oldRelease,
      rollback_performed: false,
      rollback_succeeded: null,
      rollback_policy_status: 'not_evaluated',
      release_metadata_source: 'registry',
    });
    expect(box.calls).toEqual(['desire:b', 'stop', 'start:candidate', 'good:b', 'releaseLocks', 'closed:promoted']);
  });

  test('D10 a release that exits is rolled back once, and the rollback is proved', async () => {
    const box = badRelease();
    const result = await run(box);
    expect(result).toMatchObject({
      outcome: 'rolled_back',
      failure_class: 'deploy_failure',
      failure_reason: 'process_exited:1',
      rollback_policy_status: 'allowed',
      rollback_policy_reason: 'rollback_target_validated',
      rollback_target_valid: true,
      rollback_target_release_id: oldRelease,
      rollback_performed: true,
      rollback_succeeded: true,
    });
    expect(box.calls).toEqual([
      ...['desire:b', 'stop', 'start:candidate', 'known_bad:b'],
      ...['desire:a', 'stop', 'start:rollback', 'releaseLocks', 'closed:rolled_back'],
    ]);
  });

  test('D10 a rollback that fails is its own outcome and sets safe mode', async () => {
    const box: Box = recordedBox({ observeInstance: async () => box.samples(1, newRelease, exited) });
    expect(await run(box)).toMatchObject({
      outcome: 'rollback_failed',
      rollback_performed: true,
      rollback_succeeded: false,
    });
    expect(box.calls.filter((call) => call.startsWith('start'))).toEqual(['start:candidate', 'start:rollback']);
    expect(box.calls).toContain('safeMode');
  });

  test('D10 a rollback that cannot even be decided ends in safe mode, not as if nothing had happened', async () => {
    const box = badRelease({
      verifyRelease: async () => {
        throw ApplicationFailure.nonRetryable('on purpose', 'CommandNotFound');
      },
    });
    expect(await run(box)).toMatchObject({ outcome: 'rollback_failed', rollback_performed: false });
    expect(box.calls.slice(-3)).toEqual(['safeMode', 'releaseLocks', 'closed:rollback_failed']);
  });

  test('D8 a denied rollback executes nothing', async () => {
    const box = badRelease();
    const result = await run(box, { rollback_on_deploy_failure: false });
    expect(result).toMatchObject({
      outcome: 'rollback_denied',
      rollback_policy_status: 'denied',
      rollback_policy_reason: 'rollback_disabled_for_deploy_failure',
      rollback_performed: false,
      rollback_succeeded: null,
    });
    expect(box.calls.slice(-3)).toEqual(['known_bad:b', 'releaseLocks', 'closed:rollback_denied']);
  });

  test('D8 a first release that fails is stopped: there is nothing to go back to', async () => {
    const box = badRelease();
    box.change({ desired: { release_id: null, state: 'stopped', epoch: 0, instance: null }, releases: [] });
    expect(await run(box)).toMatchObject({
      outcome: 'stopped_no_target',
      rollback_policy_reason: 'rollback_target_unspecified',
      rollback_target_valid: null,
    });
    expect(box.calls.slice(-4)).toEqual(['desire:nothing', 'stop', 'releaseLocks', 'closed:stopped_no_target']);
  });

  test('D8 a target whose bits are gone is denied, not replaced by another', async () => {
    const box = badRelease({ verifyRelease: async () => 'missing' });
    expect(await run(box)).toMatchObject({
      outcome: 'rollback_denied',
      rollback_policy_reason: 'rollback_target_missing',
      rollback_target_valid: false,
    });
  });

  test('D8 a redeploy of the running release has itself as its target, which is denied', async () => {
    const box = badRelease();
    box.change({
      desired: { release_id: newRelease, state: 'running', epoch: 1, instance: 'before' },
      releases: [{ release_id: newRelease, standing: 'good' }],
    });
    expect((await run(box)).rollback_policy_reason).toBe('rollback_target_same_as_deployed');
  });

  test.each([
    ['resolveRelease', 'RefUnknown'],
    ['checkGuards', 'GuardRefused'],
    ['buildRelease', 'BuildFailed'],
  ] as const)(
    'D8 a failure of %s is before the first change: refused, not evaluated, nothing touched',
    async (step, type) => {
      const box = recordedBox({
        [step]: async () => {
          throw ApplicationFailure.nonRetryable('on purpose', type);
        },
      });
      expect(await run(box)).toMatchObject({
        outcome: 'refused',
        failure_reason: `${type}: on purpose (${step})`,
        rollback_policy_status: 'not_evaluated',
        deployed_release_id: null,
      });
      expect(box.calls).toEqual(['releaseLocks', 'closed:refused']);
    },
  );

  test('D7 a release that cannot be started is a deploy failure and is rolled back', async () => {
    const box: Box = recordedBox({
      startInstance: async ({ instance }) => {
        box.calls.push(`start:${instance.split('.')[1] ?? ''}`);
        if (instance.endsWith('.candidate')) throw ApplicationFailure.nonRetryable('on purpose', 'RunSpecInvalid');
        return { pid: 1, started_at: null };
      },
    });
    expect(await run(box)).toMatchObject({ outcome: 'rolled_back', failure_class: 'deploy_failure' });
  });

  test('a step that fails for a moment is tried again, and the run does not notice', async () => {
    let attempts = 0;
    const box: Box = recordedBox({
      stopOthers: async () => {
        if (++attempts < 3) throw new Error('the box blinked');
        return [];
      },
    });
    expect((await run(box)).outcome).toBe('promoted');
    expect(attempts).toBe(3);
  });

  test('D4 cancelled before the first change: aborted, nothing touched', async () => {
    let started = () => {};
    const reached = new Promise<void>((resolve) => (started = resolve));
    const box: Box = recordedBox({
      buildRelease: async () => {
        started();
        await new Promise((resolve) => setTimeout(resolve, 300));
        return { digest: 'd' };
      },
    });
    const result = await run(box, {}, async (handle) => {
      await reached;
      await handle.cancel();
    });
    expect(result.outcome).toBe('aborted');
    expect(box.calls).toEqual(['releaseLocks', 'closed:aborted']);
  });

  test('D4 cancelled in the watch: aborted, and what ran before runs again', async () => {
    let started = () => {};
    const reached = new Promise<void>((resolve) => (started = resolve));
    const box: Box = recordedBox({
      observeInstance: async (_, instance, count) => {
        if (instance.endsWith('.rollback')) return box.samples(count, oldRelease);
        started();
        await new Promise((resolve) => setTimeout(resolve, 100));
        return [];
      },
    });
    const result = await run(box, {}, async (handle) => {
      await reached;
      await handle.cancel();
    });
    expect(result).toMatchObject({
      outcome: 'aborted',
      failure_class: null,
      rollback_performed: true,
      rollback_succeeded: true,
    });
    expect(box.calls).not.toContain('known_bad:b');
    expect(box.calls.slice(-5)).toEqual(['desire:a', 'stop', 'start:rollback', 'releaseLocks', 'closed:aborted']);
  });

  test('D10 a rollback that an operator asks for goes to the newest good release', async () => {
    const box: Box = recordedBox({ observeInstance: async (_, __, count) => box.samples(count, oldRelease) });
    box.change({
      desired: { release_id: newRelease, state: 'running', epoch: 7, instance: 'before' },
      releases: [
        { release_id: newRelease, standing: 'good' },
        { release_id: oldRelease, standing: 'good' },
      ],
    });
    const result = await run(box, { kind: 'rollback' });
    expect(result).toMatchObject({ outcome: 'promoted', deployed_release_id: oldRelease });
  });
});
