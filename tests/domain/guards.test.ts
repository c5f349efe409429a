import fc from 'fast-check';
import { checkGuards, isWithin, rollbackConsent, type GuardFacts } from '../../domain/deploy/guards.ts';
import { decideRollback, type RollbackDecision, type RollbackFacts } from '../../domain/deploy/policy.ts';
import { cutOvers } from '../../domain/deploy/words.ts';
import { serviceSpecSchema, type FreezeWindow } from '../../domain/service.ts';

const hour = 3_600_000;
/** A Thursday. */
const now = Date.parse('2026-01-01T12:00:00.000Z');
const { policy } = serviceSpecSchema.parse({ source: { git: '/srv/app' }, run: { argv: ['app'] } });

const facts: GuardFacts = {
  ...{ now_ms: now, kind: 'deploy', policy, free_disk_bytes: 1e9, recovery_point_at_ms: null, obstacles: [] },
};
const findings = (more: Partial<GuardFacts>) => {
  const found = checkGuards({ ...facts, ...more }).map((each) => [each.guard, each] as const);
  return Object.fromEntries(found);
};

describe('D12 guards', () => {
  test('D12 with nothing asked for and nothing in the way, all are passed and named', () => {
    expect(checkGuards(facts).map(({ guard, ok }) => [guard, ok])).toEqual([
      ['freeze_window', true],
      ['recovery_point_age', true],
      ['disk_space', true],
      ['obstacle', true],
    ]);
  });

  const asked = { ...policy, recovery_point_max_age_ms: 24 * hour };
  test.each([
    ['none is known', null, false, 'no recovery point known'],
    [
      'is as old as it may be',
      now - 24 * hour,
      true,
      'the newest proven recovery point is 1440 minutes old, 1440 are allowed',
    ],
    ['is older', now - 24 * hour - 1, false, 'the newest proven recovery point is 1440 minutes old, 1440 are allowed'],
    [
      'comes from a clock a little ahead',
      now + 60_000,
      true,
      'the newest proven recovery point is 0 minutes old, 1440 are allowed',
    ],
    [
      'comes from the future',
      now + hour,
      false,
      'the newest proven recovery point is dated 60 minutes in the future: check the clocks',
    ],
  ])('D12 where a recovery point is asked for that %s', (_, recovery_point_at_ms, ok, reason) => {
    expect(findings({ policy: asked, recovery_point_at_ms })['recovery_point_age']).toMatchObject({ ok, reason });
  });

  test('D12 disk space: as much as is asked for is enough', () => {
    const least = { ...policy, least_free_disk_bytes: 1_000 };
    const free = (free_disk_bytes: number) => findings({ policy: least, free_disk_bytes })['disk_space'];
    expect(free(1_000)).toMatchObject({ ok: true });
    expect(free(999)).toEqual({ guard: 'disk_space', ok: false, reason: '999 bytes are free, 1000 are asked for' });
  });

  test('D12 what stands in the way on the box is said in full', () => {
    const found = findings({ obstacles: ['port 80 is in use', 'no program app'] })['obstacle'];
    expect(found).toEqual({ guard: 'obstacle', ok: false, reason: 'port 80 is in use; no program app' });
  });

  test('D12 a way back is held up by no freeze and no old backup, but by a full disk', () => {
    const frozen = { ...asked, freeze: [{ from: iso(now - hour), to: iso(now + hour), reason: 'sale' }] };
    const found = checkGuards({ ...facts, policy: frozen, kind: 'rollback', free_disk_bytes: 0 });
    expect(found.filter(({ ok }) => !ok).map(({ guard }) => guard)).toEqual(['disk_space']);
    const blocked = checkGuards({ ...facts, policy: frozen });
    expect(blocked.filter(({ ok }) => !ok)).toEqual([
      { guard: 'freeze_window', ok: false, reason: `sale (${iso(now - hour)} to ${iso(now + hour)} UTC)` },
      { guard: 'recovery_point_age', ok: false, reason: 'no recovery point known' },
    ]);
  });
});

function iso(at_ms: number): string {
  return new Date(at_ms).toISOString();
}

describe('D12 freeze windows', () => {
  const within = (window: FreezeWindow, ...times: string[]) => times.map((time) => isWithin(window, Date.parse(time)));
  const reason = 'quiet';

  test('D12 from its first moment up to, and without, its last', () => {
    const window = { from: '2026-01-01T10:00:00Z', to: '2026-01-01T11:00:00Z', reason };
    const times = [
      '2026-01-01T09:59:59.999Z',
      '2026-01-01T10:00:00Z',
      '2026-01-01T10:59:59.999Z',
      '2026-01-01T11:00:00Z',
    ];
    expect(within(window, ...times)).toEqual([false, true, true, false]);
  });

  test('D12 a weekly one over midnight belongs to the day on which it begins', () => {
    // 2 January 2026 is a Friday.
    const window: FreezeWindow = { days: ['fri'], from: '22:00', to: '06:00', reason };
    const times = [
      ...['2026-01-02T05:00:00Z', '2026-01-02T21:59:59Z', '2026-01-02T22:00:00Z', '2026-01-03T00:00:00Z'],
      ...['2026-01-03T05:59:59Z', '2026-01-03T06:00:00Z', '2026-01-03T22:30:00Z', '2026-01-09T23:00:00Z'],
    ];
    expect(within(window, ...times)).toEqual([false, false, true, true, true, false, false, true]);
  });

  test('D12 one that ends when it begins is a whole day', () => {
    const window: FreezeWindow = { days: ['sat'], from: '00:00', to: '00:00', reason };
    const times = ['2026-01-02T23:59:59Z', '2026-01-03T00:00:00Z', '2026-01-03T23:59:59Z', '2026-01-04T00:00:00Z'];
    expect(within(window, ...times)).toEqual([false, true, true, false]);
  });

  test('D12 a weekly window holds at exactly the minutes that a calendar says', () => {
    const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
    const time = fc.integer({ min: 0, max: 1_439 });
    const text = (minute: number) => `${pad(Math.floor(minute / 60))}:${pad(minute % 60)}`;
    const days = fc.subarray([...names], { minLength: 1 });
    fc.assert(
      fc.property(days, time, time, fc.integer({ min: 0, max: 10_079 }), (on, from, to, minute) => {
        // Minutes since midnight of a Sunday; the one that began on Saturday may reach into it.
        const length = to > from ? to - from : to - from + 1_440;
        const starts = on.flatMap((day) => [
          names.indexOf(day) * 1_440 + from,
          names.indexOf(day) * 1_440 + from - 10_080,
        ]);
        const wanted = starts.some((start) => minute >= start && minute < start + length);
        const at = Date.parse('2026-01-04T00:00:00Z') + minute * 60_000;
        expect(isWithin({ days: on, from: text(from), to: text(to), reason }, at)).toBe(wanted);
      }),
      { numRuns: 1_000 },
    );
  });
});

function pad(part: number): string {
  return String(part).padStart(2, '0');
}

describe('D8 consent to a deploy that could not be rolled back', () => {
  const decide = (target: RollbackFacts['target'], enabled = true): RollbackDecision =>
    decideRollback({
      ...{ failure_class: 'deploy_failure', deployment_context: 'self_hosted', safe_mode: false, enabled, target },
      ...{ automatic_rollback_used: false, override: null, has_executor: true, deployed_release_id: 'new' },
    });
  const allowed = decide({ release_id: 'old', standing: 'usable' });
  const off = decide({ release_id: 'old', standing: 'usable' }, false);
  const all = { deploy_failure: allowed, watchdog_failure: allowed, health_failure: allowed };

  test.each(cutOvers)('D8 %s: asked for only where the old one is down before the new one is proved', (cutOver) => {
    const mixed = { ...all, deploy_failure: off };
    expect(rollbackConsent(cutOver, false, all).ok).toBe(true);
    expect(rollbackConsent(cutOver, true, mixed).ok).toBe(true);
    expect(rollbackConsent(cutOver, false, mixed).ok).toBe(cutOver !== 'stop_first');
  });

  test('D8 it names what would not be rolled back, and why', () => {
    const missing = decide({ release_id: 'old', standing: 'missing' });
    const found = rollbackConsent('stop_first', false, { ...all, deploy_failure: off, health_failure: missing });
    expect(found.reason).toContain('deploy_failure: rollback_disabled_for_deploy_failure');
    expect(found.reason).toContain('health_failure: rollback_target_missing');
    expect(found.reason).not.toContain('watchdog_failure');
  });

  test('D8 a first deploy has nothing to go back to, and needs no consent for that', () => {
    const first = decide(null);
    const none = { deploy_failure: first, watchdog_failure: first, health_failure: first };
    expect(rollbackConsent('stop_first', false, none).ok).toBe(true);
  });
});
