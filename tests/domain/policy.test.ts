import fc from 'fast-check';
import { decideRollback, defaultRollbackMatrix, type RollbackFacts } from '../../domain/deploy/policy.ts';
import { deploymentContexts, failureClasses } from '../../domain/deploy/words.ts';

const usable: RollbackFacts = {
  failure_class: 'health_failure',
  deployment_context: 'self_hosted',
  safe_mode: false,
  automatic_rollback_used: false,
  override: null,
  enabled: true,
  has_executor: true,
  deployed_release_id: 'new',
  target: { release_id: 'old', standing: 'usable' },
};

const anyFacts: fc.Arbitrary<RollbackFacts> = fc.record({
  failure_class: fc.constantFrom(...failureClasses),
  deployment_context: fc.constantFrom(...deploymentContexts),
  safe_mode: fc.boolean(),
  automatic_rollback_used: fc.boolean(),
  override: fc.option(fc.record({ action: fc.constantFrom('allow' as const, 'deny' as const), force: fc.boolean() })),
  enabled: fc.boolean(),
  has_executor: fc.boolean(),
  deployed_release_id: fc.constantFrom('a', 'b'),
  target: fc.option(
    fc.record({
      release_id: fc.constantFrom('a', 'b'),
      standing: fc.constantFrom(
        'usable' as const,
        'known_bad' as const,
        'missing' as const,
        'schema_incompatible' as const,
      ),
    }),
  ),
});

describe('D8 policy', () => {
  // Each row changes the fewest facts that make its rule the first to match.
  test.each<[string, Partial<RollbackFacts>, string, boolean | null]>([
    ['a safe mode before everything else', { safe_mode: true, enabled: false }, 'safe_mode_active', true],
    ['a second automatic rollback', { automatic_rollback_used: true }, 'automatic_rollback_already_used', true],
    ['an operator who says no', { override: { action: 'deny', force: false } }, 'override_denied', true],
    ['a class that is switched off', { enabled: false }, 'rollback_disabled_for_health_failure', true],
    ['a driver that cannot go back', { has_executor: false }, 'rollback_executor_missing', true],
    [
      'an external service without a target',
      { deployment_context: 'external', target: null },
      'rollback_target_required_for_external_context',
      false,
    ],
    [
      'a target equal to the deployed release',
      { target: { release_id: 'new', standing: 'usable' } },
      'rollback_target_same_as_deployed',
      false,
    ],
    [
      'a known bad target',
      { target: { release_id: 'old', standing: 'known_bad' } },
      'rollback_target_known_bad',
      false,
    ],
    [
      'a target whose bits are gone',
      { target: { release_id: 'old', standing: 'missing' } },
      'rollback_target_missing',
      false,
    ],
    [
      'a target that cannot read the schema',
      { target: { release_id: 'old', standing: 'schema_incompatible' } },
      'rollback_target_schema_incompatible',
      false,
    ],
  ])('D8 denies %s', (_, facts, reason, target_valid) => {
    expect(decideRollback({ ...usable, ...facts })).toEqual({
      status: 'denied',
      reason,
      target_valid,
      action: 'nothing',
    });
  });

  test('D8 allows a validated target', () => {
    expect(decideRollback(usable)).toEqual({
      status: 'allowed',
      reason: 'rollback_target_validated',
      target_valid: true,
      action: 'roll_back',
    });
  });

  test('D8 stops the failed release where a self-hosted service has nothing to go back to', () => {
    expect(decideRollback({ ...usable, target: null })).toEqual({
      status: 'allowed',
      reason: 'rollback_target_unspecified',
      target_valid: null,
      action: 'stop',
    });
  });

  test('D9 an override lifts a class that is switched off, and only force lifts known bad', () => {
    const allow = { action: 'allow', force: false } as const;
    const knownBad = { release_id: 'old', standing: 'known_bad' } as const;
    expect(decideRollback({ ...usable, enabled: false, override: allow }).reason).toBe('override_allowed');
    expect(decideRollback({ ...usable, target: knownBad, override: allow }).reason).toBe('rollback_target_known_bad');
    expect(decideRollback({ ...usable, target: knownBad, override: { ...allow, force: true } }).action).toBe(
      'roll_back',
    );
  });

  test('D8 what is denied is never executed, and what is executed has a target that is neither the same nor missing', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const { status, action, target_valid } = decideRollback(facts);
        expect(action === 'nothing').toBe(status === 'denied');
        if (action !== 'roll_back') return;
        expect(target_valid).toBe(true);
        expect(facts.target?.release_id).not.toBe(facts.deployed_release_id);
        expect(['usable', 'known_bad']).toContain(facts.target?.standing);
        expect(facts.safe_mode || facts.automatic_rollback_used).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  test('D8 the default matrix: only a deploy failure of an external service is left alone', () => {
    expect(defaultRollbackMatrix).toEqual({
      deploy_failure: { self_hosted: true, external: false },
      watchdog_failure: { self_hosted: true, external: true },
      health_failure: { self_hosted: true, external: true },
    });
  });
});
