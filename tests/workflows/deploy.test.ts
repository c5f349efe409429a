import { ApplicationFailure } from '@temporalio/common';
import { run, badRelease, exited, off } from '../support/run-deploy.ts';
import { good, newRelease, oldRelease, recordedBox, type RecordedBox as Box } from '../support/recorded-box.ts';

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
    const box: Box = recordedBox({ observeInstance: async (order) => box.looks(order, newRelease, exited) });
    expect(await run(box)).toMatchObject({
      outcome: 'rollback_failed',
      rollback_performed: true,
      rollback_succeeded: false,
    });
    expect(box.calls.filter((call) => call.startsWith('start'))).toEqual(['start:candidate', 'start:rollback']);
    expect(box.calls).toContain('safeMode');
  });

  test('D10 a rollback that cannot even be decided ends in safe mode, not as if nothing had happened', async () => {
    const box: Box = badRelease({
      verifyRelease: async () => {
        if (!box.calls.includes('start:candidate')) return 'ok';
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
    expect(box.calls.slice(-4)).toEqual(['desire:nothing', 'stop:all', 'releaseLocks', 'closed:stopped_no_target']);
  });

  test('D8 a target whose bits are gone is denied, not replaced by another', async () => {
    const box = badRelease({ verifyRelease: async () => 'missing' });
    expect(await run(box, { accept_no_rollback: true })).toMatchObject({
      outcome: 'rollback_denied',
      rollback_policy_reason: 'rollback_target_missing',
      rollback_target_valid: false,
    });
  });

  test('D8 a redeploy of the running release has itself as its target, which is denied', async () => {
    const box = badRelease();
    box.change({
      desired: { release_id: newRelease, state: 'running', epoch: 1, instance: 'before' },
      releases: [good(newRelease)],
    });
    expect((await run(box, { accept_no_rollback: true })).rollback_policy_reason).toBe(
      'rollback_target_same_as_deployed',
    );
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
        return { pid: 1, container_id: null, started_at: null };
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

  test('a database that stays away is waited for, and fills no history meanwhile', async () => {
    const back = Date.now() + 20_000;
    let attempts = 0;
    const box: Box = recordedBox({
      setDesired: async (_, epoch) => {
        attempts += 1;
        if (Date.now() < back) throw new Error('Postgres does not answer');
        return epoch + 1;
      },
    });
    let events = 0;
    const result = await run(box, {}, async (handle) => {
      await handle.result();
      events = (await handle.fetchHistory()).events?.length ?? 0;
    });
    expect(result.outcome).toBe('promoted');
    expect(attempts).toBeGreaterThan(5);
    expect(events).toBeLessThan(200);
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
      observeInstance: async (order) => {
        if (order.instance.endsWith('.rollback')) return box.looks(order, oldRelease);
        started();
        await new Promise((resolve) => setTimeout(resolve, 100));
        return order.state;
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
    const box: Box = recordedBox({ observeInstance: async (order) => box.looks(order, oldRelease) });
    box.change({
      desired: { release_id: newRelease, state: 'running', epoch: 7, instance: 'before' },
      releases: [good(newRelease), good(oldRelease)],
    });
    const result = await run(box, { kind: 'rollback' });
    expect(result).toMatchObject({ outcome: 'promoted', deployed_release_id: oldRelease });
  });

  test('D8 a stop-first deploy whose failure could not be rolled back is refused, unless that was accepted', async () => {
    const box = recordedBox();
    box.change({ rollback_on: { ...off, deploy_failure: { self_hosted: true, external: true } } });
    const refused = await run(box);
    expect(refused.outcome).toBe('refused');
    expect(refused.failure_reason).toMatch(
      /^GuardRefused: rollback_consent: no rollback of watchdog_failure: rollback_disabled/,
    );
    expect(box.calls).toEqual(['releaseLocks', 'closed:refused']);
    expect((await run(box, { accept_no_rollback: true })).outcome).toBe('promoted');
  });

  test('D7 what is unhealthy because a dependency was down before cut-over is degraded, not rolled back', async () => {
    const box: Box = recordedBox({
      downDependencies: async () => ['database'],
      observeInstance: async (order) => box.looks(order, newRelease, { healthy: false, reason: 'http_status:503' }),
    });
    box.change({ has_dependencies: true });
    expect(await run(box)).toMatchObject({ outcome: 'promoted_degraded', rollback_policy_status: 'not_evaluated' });
    expect(box.calls).not.toContain('good:b');
  });

  test('D7 a dependency that was down excuses no release that exits', async () => {
    const box = badRelease({ downDependencies: async () => ['database'] });
    box.change({ has_dependencies: true });
    expect((await run(box)).outcome).toBe('rolled_back');
  });

  test('D15 a release that is not what was asked for is a health failure and is rolled back', async () => {
    const box = recordedBox({
      checkIdentity: async (instance) => [
        { check: 'bits', ok: instance.endsWith('.rollback'), reason: 'another image' },
        { check: 'config', ok: true, reason: 'same' },
      ],
    });
    expect(await run(box)).toMatchObject({
      outcome: 'rolled_back',
      failure_class: 'health_failure',
      failure_reason: 'identity: bits another image',
    });
  });
});

describe('start-first', () => {
  test('D11 the new one is proved before traffic moves, and the old one goes last', async () => {
    const box = recordedBox();
    box.startFirst();
    expect(await run(box)).toMatchObject({ outcome: 'promoted', cut_over: 'start_first' });
    expect(box.calls).toEqual([
      ...['start:candidate', 'desire:b', 'point:candidate', 'stop', 'good:b', 'releaseLocks', 'closed:promoted'],
    ]);
  });

  test('D8 a failure before traffic moved discards the candidate: not a rollback', async () => {
    const box = badRelease();
    box.startFirst();
    expect(await run(box)).toMatchObject({
      outcome: 'discarded',
      failure_class: 'deploy_failure',
      rollback_policy_status: 'not_evaluated',
      rollback_performed: false,
      deployed_release_id: null,
    });
    expect(box.calls).toEqual(['start:candidate', 'known_bad:b', 'stop', 'releaseLocks', 'closed:discarded']);
  });

  test('D10 a failure with traffic on it goes back to what stood by, with nothing started', async () => {
    const before = {
      instance: 'before',
      port: 1_111,
      cut_over: 'start_first',
      expected_build_sha: oldRelease,
    } as const;
    const box: Box = recordedBox({
      standby: async () => before,
      observeInstance: async (order) => {
        if (order.instance === 'before') return box.looks(order, oldRelease);
        return box.looks(order, newRelease, order.via === 'traffic' ? exited : {});
      },
    });
    box.startFirst();
    expect(await run(box)).toMatchObject({ outcome: 'rolled_back', failure_class: 'watchdog_failure' });
    expect(box.calls.filter((call) => !call.startsWith('known_bad'))).toEqual([
      ...['start:candidate', 'desire:b', 'point:candidate', 'desire:a', 'point:before', 'stop'],
      ...['releaseLocks', 'closed:rolled_back'],
    ]);
  });
});

describe('what a watch hands over', () => {
  const verdict = { epoch: 7, failure_class: 'watchdog_failure', reason: 'process_exited:1' } as const;
  function young(overrides: Parameters<typeof recordedBox>[0] = {}): Box {
    const box: Box = recordedBox({ observeInstance: async (order) => box.looks(order, oldRelease), ...overrides });
    box.change({
      desired: { release_id: newRelease, state: 'running', epoch: 7, instance: 'before' },
      releases: [good(newRelease), good(oldRelease)],
    });
    return box;
  }

  test('D6 the release before is put back and proved', async () => {
    const box = young();
    expect(await run(box, { kind: 'rollback' }, undefined, { watch: verdict })).toMatchObject({
      outcome: 'rolled_back',
      deployed_release_id: newRelease,
      rollback_target_release_id: oldRelease,
      failure_class: 'watchdog_failure',
    });
    expect(box.calls).toContain('known_bad:b');
  });

  test('D6 a verdict about what is not there any more is dropped: an operator was faster', async () => {
    const box = young();
    const result = await run(box, { kind: 'rollback' }, undefined, { watch: { ...verdict, epoch: 6 } });
    expect(result).toMatchObject({ outcome: 'refused', rollback_performed: false });
    expect(result.failure_reason).toMatch(/^DesiredStateChanged/);
    expect(box.calls).toEqual(['releaseLocks', 'closed:refused']);
  });

  test('D10 what an automatic rollback put there is not rolled back again', async () => {
    const box = young();
    box.change({ automatic_rollback_used: true });
    expect(await run(box, { kind: 'rollback' }, undefined, { watch: verdict })).toMatchObject({
      outcome: 'rollback_denied',
      rollback_policy_reason: 'automatic_rollback_already_used',
    });
  });
});
