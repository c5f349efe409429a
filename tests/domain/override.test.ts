import fc from 'fast-check';
import { decideRollback, type RollbackFacts } from '../../domain/deploy/policy.ts';
import {
  inForce,
  judgeOverride,
  noOverrides,
  withOverride,
  type OverrideMessage,
  type RunNow,
} from '../../domain/deploy/override.ts';
import {
  overrideMessageSchema,
  overrideRequestSchema,
  policyOverrideSchema,
} from '../../domain/deploy/override-schemas.ts';
import { overrideActions, phases, type OverrideAction, type Phase } from '../../domain/deploy/words.ts';
import { roles } from '../../domain/role.ts';

const now = Date.parse('2026-01-01T12:00:00.000Z');
const minute = 60_000;
const iso = (at_ms: number) => new Date(at_ms).toISOString();

function message(action: OverrideAction, more: Partial<OverrideMessage> = {}): OverrideMessage {
  return {
    ...{ action, force: false, reason: 'because', expires_at: iso(now + minute), actor: 'anna', role: 'operator' },
    ...(action === 'choose_target' ? { target: 'old' } : {}),
    ...(action === 'extend_window' ? { extend_ms: 5_000 } : {}),
    ...more,
  };
}

const run: RunNow = { now_ms: now, phase: 'watch', deployed_release_id: 'new', decided: false };
const answerTo = (said: OverrideMessage, at: Partial<RunNow> = {}) => {
  const judgement = judgeOverride(said, { ...run, ...at });
  return judgement.accepted ? 'accepted' : judgement.refusal;
};

describe('D9 who may override, and when', () => {
  test.each(overrideActions)('D9 %s needs an operator, and force an admin', (action) => {
    const byRole = (force: boolean) => roles.map((role) => answerTo(message(action, { role, force })));
    const weak = 'override_role_too_weak';
    expect(byRole(false)).toEqual([weak, weak, 'accepted', 'accepted']);
    expect(byRole(true)).toEqual([weak, weak, 'override_force_needs_admin', 'accepted']);
  });

  test.each([
    ['a moment ago', iso(now - 1)],
    ['now', iso(now)],
    ['at a time that cannot be read', 'tomorrow'],
  ])('D9 what expired %s is refused', (_, expires_at) => {
    for (const action of overrideActions) expect(answerTo(message(action, { expires_at }))).toBe('override_expired');
  });

  /** The last phase in which it can still change something. */
  const last: Record<OverrideAction, Phase> = {
    allow: 'approval',
    deny: 'approval',
    choose_target: 'approval',
    extend_window: 'traffic_watch',
    abort: 'traffic_watch',
  };

  test.each(overrideActions)('D9 %s is too late once it could change nothing', (action) => {
    const accepted = phases.filter((phase) => answerTo(message(action), { phase }) === 'accepted');
    expect(accepted).toEqual(phases.slice(0, phases.indexOf(last[action]) + 1));
  });

  test('D9 a rollback that was decided on cannot be taken back, but while it waits for approval', () => {
    const decided = phases.filter((phase) => answerTo(message('deny'), { phase, decided: true }) === 'accepted');
    expect(decided).toEqual(['approval']);
  });

  test('D9 the release that is deployed is no target', () => {
    expect(answerTo(message('choose_target', { target: 'new' }))).toBe('override_target_same_as_deployed');
    expect(answerTo(message('choose_target', { target: 'new' }), { deployed_release_id: null })).toBe('accepted');
  });
});

describe('D9 what overrides come to', () => {
  const any = fc.record({
    action: fc.constantFrom(...overrideActions),
    target: fc.constantFrom('a', 'b'),
    extend_ms: fc.integer({ min: 1_000, max: 10_000 }),
    force: fc.boolean(),
    expires_at: fc.integer({ min: -60, max: 60 }).map((minutes) => iso(now + minutes * minute)),
  });

  test('D9 the last word counts, and one that has expired counts as never said', () => {
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), fc.integer({ min: 0, max: 60 }), (said, minutes) => {
        const at = now + minutes * minute;
        const standing = said.reduce(withOverride, noOverrides);
        const { ruling, target, extend_ms, abort } = inForce(standing, at);
        const live = said.filter(({ expires_at }) => Date.parse(expires_at) > at);
        const ruled = live.findLast(({ action }) => ['allow', 'deny', 'choose_target'].includes(action));
        const chosen = live.findLast(({ action }) => action === 'choose_target');
        expect([ruling?.action ?? null, ruling?.force ?? null, ruling?.expires_at ?? null]).toEqual([
          ruled === undefined ? null : ruled.action === 'deny' ? 'deny' : 'allow',
          ruled?.force ?? null,
          ruled?.expires_at ?? null,
        ]);
        expect(target?.release_id ?? null).toBe(chosen?.target ?? null);
        // What has been done with it cannot expire.
        expect(abort).toBe(said.some(({ action }) => action === 'abort'));
        const extended = said.filter(({ action }) => action === 'extend_window');
        expect(extend_ms).toBe(extended.reduce((sum, each) => sum + each.extend_ms, 0));
      }),
      { numRuns: 1_000 },
    );
  });

  test('D9 a no until tomorrow outlives a yes for five minutes', () => {
    const no = withOverride(noOverrides, message('deny', { expires_at: iso(now + 1_440 * minute) }));
    const both = withOverride(no, message('allow', { expires_at: iso(now + 5 * minute) }));
    expect(inForce(both, now).ruling?.action).toBe('allow');
    expect(inForce(both, now + 5 * minute).ruling?.action).toBe('deny');
    expect(inForce(both, now + 1_440 * minute).ruling).toBeNull();
  });

  const facts: RollbackFacts = {
    ...{ failure_class: 'health_failure', deployment_context: 'self_hosted', safe_mode: false, enabled: false },
    ...{ automatic_rollback_used: false, has_executor: true, deployed_release_id: 'new', override: null },
    target: { release_id: 'old', standing: 'usable' },
  };
  const decided = (said: OverrideMessage, target: RollbackFacts['target'] = facts.target, more: object = {}) =>
    decideRollback({ ...facts, ...more, target, override: inForce(withOverride(noOverrides, said), now).ruling })
      .reason;

  test('D9 allow and choose_target lift a class that is switched off; deny holds one back that is on', () => {
    expect(decideRollback(facts).reason).toBe('rollback_disabled_for_health_failure');
    expect(decided(message('allow'))).toBe('override_allowed');
    expect(decided(message('choose_target'))).toBe('override_allowed');
    expect(decided(message('deny'), facts.target, { enabled: true })).toBe('override_denied');
  });

  test.each(['allow', 'choose_target'] as const)(
    'D9 %s lifts known_bad with force only, and nothing else',
    (action) => {
      const admin = message(action, { role: 'admin', force: true });
      const reasons = (['known_bad', 'missing', 'schema_incompatible'] as const).map((standing) => [
        decided(message(action), { release_id: 'old', standing }),
        decided(admin, { release_id: 'old', standing }),
      ]);
      expect(reasons).toEqual([
        ['rollback_target_known_bad', 'override_allowed'],
        ['rollback_target_missing', 'rollback_target_missing'],
        ['rollback_target_schema_incompatible', 'rollback_target_schema_incompatible'],
      ]);
      expect(decided(admin, { release_id: 'new', standing: 'usable' })).toBe('rollback_target_same_as_deployed');
      expect(decided(admin, facts.target, { safe_mode: true })).toBe('safe_mode_active');
      expect(decided(admin, facts.target, { automatic_rollback_used: true })).toBe('automatic_rollback_already_used');
      expect(decided(admin, facts.target, { has_executor: false })).toBe('rollback_executor_missing');
    },
  );
});

test('D9 the shape: a reason, an expiry, and each extra word with the action it belongs to', () => {
  const allow = { action: 'allow', force: false, reason: 'because', expires_at: iso(now + minute) };
  const fits = (said: object) => overrideRequestSchema.safeParse(said).success;
  expect(fits(allow)).toBe(true);
  expect(fits({ ...allow, reason: '  ' })).toBe(false);
  expect(fits({ ...allow, expires_at: undefined })).toBe(false);
  expect(fits({ ...allow, expires_at: 'tomorrow' })).toBe(false);
  expect(fits({ ...allow, target: 'old' })).toBe(false);
  expect(fits({ ...allow, extend_ms: 5_000 })).toBe(false);
  expect(fits({ ...allow, action: 'choose_target' })).toBe(false);
  expect(fits({ ...allow, action: 'extend_window' })).toBe(false);
  expect(fits({ ...allow, role: 'admin' })).toBe(false);
  expect(overrideMessageSchema.safeParse({ ...allow, actor: 'anna', role: 'king' }).success).toBe(false);
  expect(policyOverrideSchema.safeParse({ ...allow, force: undefined }).success).toBe(false);
});
