import type { WorkflowHandle } from '@temporalio/client';
import type { OverrideJudgement } from '../../domain/deploy/override.ts';
import { run, badRelease, exited, off } from '../support/run-deploy.ts';
import { good, newRelease, oldRelease, recordedBox, type RecordedBox as Box } from '../support/recorded-box.ts';

describe('overrides', () => {
  const soon = () => new Date(Date.now() + 600_000).toISOString();
  /** The candidate is watched until somebody has spoken. */
  function slowlyBad(goesTo = oldRelease) {
    const spoken: { now: boolean } = { now: false };
    let watching = () => {};
    const watched = new Promise<void>((resolve) => (watching = resolve));
    const box: Box = recordedBox({
      observeInstance: async (order) => {
        if (order.instance.endsWith('.rollback')) return box.looks(order, goesTo);
        watching();
        if (spoken.now) return box.looks(order, newRelease, exited);
        await new Promise((resolve) => setTimeout(resolve, 50));
        return order.state;
      },
    });
    return { box, watched, speak: () => (spoken.now = true) };
  }

  async function say(handle: WorkflowHandle, message: object): Promise<OverrideJudgement> {
    return handle.executeUpdate<OverrideJudgement, [object]>('override', {
      args: [{ force: false, reason: 'because', expires_at: soon(), actor: 'tester', role: 'operator', ...message }],
    });
  }

  test('D9 deny by Update: the failed release stays, by the word of a person', async () => {
    const { box, watched, speak } = slowlyBad();
    const result = await run(box, {}, async (handle) => {
      await watched;
      expect(await say(handle, { action: 'deny' })).toEqual({ accepted: true });
      speak();
    });
    expect(result).toMatchObject({ outcome: 'rollback_denied', rollback_policy_reason: 'override_denied' });
    expect(box.calls).not.toContain('start:rollback');
  });

  test('D9 allow by signal lifts a class that is switched off', async () => {
    const { box, watched, speak } = slowlyBad();
    box.change({ rollback_on: off, accept_no_rollback: true });
    const result = await run(box, {}, async (handle) => {
      await watched;
      await handle.signal('override', { action: 'allow', reason: 'the old one was better', expires_at: soon() });
      speak();
    });
    expect(result).toMatchObject({ outcome: 'rolled_back', rollback_policy_reason: 'override_allowed' });
    expect(box.answers).toEqual([{ accepted: true, refusal: null }]);
  });

  test('D9 a signal that makes no sense, or comes too late by its own words, is recorded as refused and never thrown', async () => {
    const { box, watched, speak } = slowlyBad();
    const result = await run(box, {}, async (handle) => {
      await watched;
      await handle.signal('override', { action: 'explode' });
      await handle.signal('override', { action: 'deny', reason: 'x', expires_at: '2020-01-01T00:00:00Z' });
      expect(await say(handle, { action: 'choose_target', target: newRelease })).toMatchObject({ accepted: false });
      speak();
    });
    expect(result.outcome).toBe('rolled_back');
    // Handlers run side by side, so which of them answers first is chance.
    expect(box.answers.map(({ refusal }) => refusal).sort()).toEqual([
      ...['override_expired', 'override_malformed', 'override_target_same_as_deployed'],
    ]);
  });

  test('D9 another target is gone to, and no override makes a missing one valid', async () => {
    const chosen = 'c'.repeat(40);
    for (const there of [true, false]) {
      const { box, watched, speak } = slowlyBad(chosen);
      if (there) box.change({ releases: [good(oldRelease), good(chosen)] });
      const result = await run(box, {}, async (handle) => {
        await watched;
        await say(handle, { action: 'choose_target', target: chosen });
        speak();
      });
      const denied = { outcome: 'rollback_denied', rollback_policy_reason: 'rollback_target_missing' };
      expect(result).toMatchObject(there ? { outcome: 'rolled_back', rollback_target_release_id: chosen } : denied);
    }
  });

  test('D9 abort: what ran before runs again', async () => {
    const { box, watched } = slowlyBad();
    const result = await run(box, {}, async (handle) => {
      await watched;
      await say(handle, { action: 'abort' });
    });
    expect(result).toMatchObject({ outcome: 'aborted', rollback_performed: true, failure_class: null });
  });

  test('D9 the window is extended: a slow starter gets the time that an operator gives it', async () => {
    let extended = false;
    let watching = () => {};
    const watched = new Promise<void>((resolve) => (watching = resolve));
    const box: Box = recordedBox({
      observeInstance: async (order) => {
        watching();
        if (!extended) await new Promise((resolve) => setTimeout(resolve, 50));
        if (!extended) return order.state;
        const slow = { ...order, rules: { ...order.rules, startup_ms: order.rules.startup_ms } };
        return order.rules.startup_ms > 60_000 ? box.looks(slow, newRelease) : box.looks(slow, newRelease, refusing);
      },
    });
    const result = await run(box, {}, async (handle) => {
      await watched;
      expect(await say(handle, { action: 'extend_window', extend_ms: 60_000 })).toEqual({ accepted: true });
      extended = true;
    });
    expect(result.outcome).toBe('promoted');
  });

  test.each([
    ['allow', 'rolled_back', 'override_allowed'],
    ['deny', 'rollback_denied', 'approval_denied'],
  ] as const)('D9 a service that requires approval waits, visibly: %s', async (action, outcome, reason) => {
    const box = badRelease();
    box.change({ approval: { required: true, timeout_ms: 60_000, default: 'deny' } });
    const result = await run(box, {}, async (handle) => {
      await phase(handle, 'approval');
      expect(box.calls).not.toContain('start:rollback');
      await say(handle, { action });
    });
    expect(result).toMatchObject({ outcome, rollback_policy_reason: reason });
  });

  test.each([
    ['deny', 'rollback_denied', 'approval_timeout'],
    ['allow', 'rolled_back', 'rollback_target_validated'],
  ] as const)('D9 an approval that nobody gives ends in its default: %s', async (byDefault, outcome, reason) => {
    const box = badRelease();
    box.change({ approval: { required: true, timeout_ms: 1_000, default: byDefault } });
    expect(await run(box)).toMatchObject({ outcome, rollback_policy_reason: reason });
  });

  test('D9 what was submitted while Temporal was away counts when it matters', async () => {
    const box = badRelease({
      unheardOverrides: async () => [
        {
          id: 'a-row',
          message: { action: 'deny', force: false, reason: 'r', expires_at: soon(), actor: 'o', role: 'operator' },
        },
      ],
    });
    expect((await run(box)).rollback_policy_reason).toBe('override_denied');
  });

  test('D4 policy_override in the request counts until it expires', async () => {
    const said = { action: 'deny', reason: 'leave it', expires_at: soon() };
    expect((await run(badRelease(), { policy_override: said })).rollback_policy_reason).toBe('override_denied');
    const expired = { ...said, expires_at: new Date(Date.now() - 1_000).toISOString() };
    expect((await run(badRelease(), { policy_override: expired })).outcome).toBe('rolled_back');
  });
});

const refusing = { healthy: false, answered: false, reason: 'http_error', reported_build_sha: null };

async function phase(handle: WorkflowHandle, wanted: string): Promise<void> {
  while ((await handle.query<{ phase: string }>('deploy_state')).phase !== wanted) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
