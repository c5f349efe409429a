import { isDeepStrictEqual } from 'node:util';
import {
  decideApproval,
  decideRollback,
  defaultRollbackMatrix,
  policyCases,
  type Approval,
  type RollbackDecision,
  type RollbackFacts,
  type RollbackTarget,
} from '../../domain/deploy/policy.ts';
import { deploymentContexts, failureClasses } from '../../domain/deploy/words.ts';

const both = [false, true] as const;
const standings = ['usable', 'known_bad', 'missing', 'schema_incompatible'] as const;
const overrides: readonly RollbackFacts['override'][] = [
  null,
  ...both.flatMap((force) => [{ action: 'allow', force } as const, { action: 'deny', force } as const]),
];
/** `new` is what was deployed. */
const targets: readonly (RollbackTarget | null)[] = [
  null,
  ...['new', 'old'].flatMap((release_id) =>
    standings.flatMap((standing) => both.map((known_bad) => ({ release_id, standing, known_bad }))),
  ),
];

function everyCase(): RollbackFacts[] {
  const cases: RollbackFacts[] = [];
  for (const failure_class of failureClasses)
    for (const deployment_context of deploymentContexts)
      for (const enabled of both)
        for (const has_executor of both)
          for (const safe_mode of both)
            for (const automatic_rollback_used of both)
              for (const override of overrides)
                for (const target of targets)
                  cases.push({
                    ...{ failure_class, deployment_context, enabled, has_executor, safe_mode, automatic_rollback_used },
                    ...{ override, target, deployed_release_id: 'new' },
                  });
  return cases;
}

// Row D8, written down apart from the code: each reason with when it applies by itself, in the order of the row.
type Rule = readonly [reason: string, applies: (facts: RollbackFacts) => boolean];
const knownBad: Rule = [
  'rollback_target_known_bad',
  ({ target, override }) =>
    (target?.standing === 'known_bad' || target?.known_bad === true) &&
    !(override?.action === 'allow' && override.force),
];
const faultsOfTarget: readonly Rule[] = [
  ['rollback_target_same_as_deployed', ({ target }) => target?.release_id === 'new'],
  knownBad,
  ['rollback_target_missing', ({ target }) => target?.standing === 'missing'],
  ['rollback_target_schema_incompatible', ({ target }) => target?.standing === 'schema_incompatible'],
];
const rulesThatDeny: readonly Rule[] = [
  ['safe_mode_active', ({ safe_mode }) => safe_mode],
  ['automatic_rollback_already_used', (facts) => facts.automatic_rollback_used],
  ['override_denied', ({ override }) => override?.action === 'deny'],
  ...failureClasses.map((each): Rule => [
    `rollback_disabled_for_${each}`,
    ({ failure_class, enabled, override }) => failure_class === each && !enabled && override?.action !== 'allow',
  ]),
  ['rollback_executor_missing', ({ has_executor }) => !has_executor],
  [
    'rollback_target_required_for_external_context',
    ({ deployment_context, target }) => deployment_context === 'external' && target === null,
  ],
  ...faultsOfTarget,
];

function oracle(facts: RollbackFacts): RollbackDecision {
  const validity = facts.target === null ? null : !faultsOfTarget.some(([, applies]) => applies(facts));
  const [reason] = rulesThatDeny.find(([, applies]) => applies(facts)) ?? [null];
  if (reason !== null) {
    const target_valid = reason === 'rollback_target_required_for_external_context' ? false : validity;
    return { status: 'denied', reason: reason as RollbackDecision['reason'], target_valid, action: 'nothing' };
  }
  if (facts.target === null) {
    return { status: 'allowed', reason: 'rollback_target_unspecified', target_valid: null, action: 'stop' };
  }
  const word = facts.override === null ? 'rollback_target_validated' : 'override_allowed';
  return { status: 'allowed', reason: word, target_valid: true, action: 'roll_back' };
}

describe('D8 policy', () => {
  test('D8 the whole table: each class, context, target, override, safe mode and use, first match wins', () => {
    const cases = everyCase();
    expect(cases).toHaveLength(3 * 2 * 2 * 2 * 2 * 2 * 5 * 17);
    const decided = cases.map((facts) => ({ facts, decision: decideRollback(facts), wanted: oracle(facts) }));
    expect(decided.filter(({ decision, wanted }) => !isDeepStrictEqual(decision, wanted))).toEqual([]);
    const reasons = new Set(decided.map(({ decision }) => decision.reason));
    // Every reason of the row but those of the wait for approval is reached.
    expect([...reasons].sort()).toEqual(
      [
        ...rulesThatDeny.map(([reason]) => reason),
        'rollback_target_unspecified',
        'rollback_target_validated',
        'override_allowed',
      ].sort(),
    );
  });

  test('D8, D9 what is denied is never executed, and no override lifts same_as_deployed, missing or schema_incompatible', () => {
    const decided = everyCase().map((facts) => ({ facts, decision: decideRollback(facts) }));
    expect(
      decided.filter(({ decision: { status, action } }) => (action === 'nothing') !== (status === 'denied')),
    ).toEqual([]);
    const executed = decided.filter(({ decision }) => decision.action === 'roll_back');
    expect(executed.length).toBeGreaterThan(0);
    const wrong = executed.filter(({ facts: { target, override, ...facts }, decision }) => {
      const forced = override?.action === 'allow' && override.force;
      const isKnownBad = target?.standing === 'known_bad' || target?.known_bad === true;
      const fit = target?.standing === 'usable' || target?.standing === 'known_bad';
      const mayBe = fit && target.release_id === 'old' && (!isKnownBad || forced) && decision.target_valid === true;
      return !mayBe || facts.safe_mode || facts.automatic_rollback_used || !facts.has_executor;
    });
    expect(wrong).toEqual([]);
  });

  test('D8 a known bad target whose bits are gone is denied as known bad, and forced as missing', () => {
    const target: RollbackTarget = { release_id: 'old', standing: 'missing', known_bad: true };
    const facts: RollbackFacts = { ...plain, target };
    expect(decideRollback(facts).reason).toBe('rollback_target_known_bad');
    expect(decideRollback({ ...facts, override: { action: 'allow', force: true } }).reason).toBe(
      'rollback_target_missing',
    );
  });

  test('D8 who denies with force makes no bad target valid', () => {
    const facts: RollbackFacts = { ...plain, override: { action: 'deny', force: true } };
    expect(decideRollback({ ...facts, target: { release_id: 'old', standing: 'known_bad' } })).toEqual({
      ...{ status: 'denied', reason: 'override_denied', target_valid: false, action: 'nothing' },
    });
  });

  test('D8 the default matrix: only a deploy failure of an external service is left alone', () => {
    expect(defaultRollbackMatrix).toEqual({
      deploy_failure: { self_hosted: true, external: false },
      watchdog_failure: { self_hosted: true, external: true },
      health_failure: { self_hosted: true, external: true },
    });
  });
});

const plain: RollbackFacts = {
  ...{ failure_class: 'health_failure', deployment_context: 'self_hosted', safe_mode: false },
  ...{ automatic_rollback_used: false, override: null, enabled: true, has_executor: true, deployed_release_id: 'new' },
  target: { release_id: 'old', standing: 'usable' },
};

describe('D9 approval', () => {
  const outcomes: readonly [Approval, string | null][] = [
    ['not_required', null],
    ['approved', null],
    ['timed_out_allow', null],
    ['denied', 'approval_denied'],
    ['timed_out_deny', 'approval_timeout'],
  ];

  test.each(outcomes)('D8 %s: only what would be rolled back can be turned down, as %s', (approval, reason) => {
    const decided = everyCase().map((facts) => {
      const decision = decideRollback(facts);
      const turnedDown = reason !== null && decision.action === 'roll_back';
      const wanted = turnedDown ? { ...decision, status: 'denied', reason, action: 'nothing' } : decision;
      return { facts, got: decideApproval(decision, approval), wanted };
    });
    expect(decided.filter(({ got, wanted }) => !isDeepStrictEqual(got, wanted))).toEqual([]);
    expect(decideApproval(decideRollback(plain), approval).reason).toBe(reason ?? 'rollback_target_validated');
  });
});

test('D8 policy test lists each class, context and target once, each as a deploy would decide it', () => {
  const { safe_mode, automatic_rollback_used, override, has_executor, deployed_release_id } = plain;
  const shared = { safe_mode, automatic_rollback_used, override, has_executor, deployed_release_id };
  const matrix = { ...defaultRollbackMatrix, health_failure: { self_hosted: false, external: true } };
  const cases = policyCases(shared, matrix, targets);
  expect(cases).toHaveLength(3 * 2 * targets.length);
  const pairs = cases.map(({ failure_class, deployment_context }) => `${failure_class}/${deployment_context}`);
  expect(new Set(pairs).size).toBe(3 * 2);
  cases.forEach(({ failure_class, deployment_context, target_release_id, target_standing, decision }, i) => {
    const target = targets[i % targets.length] ?? null;
    const enabled = matrix[failure_class][deployment_context];
    expect([target_release_id, target_standing]).toEqual([target?.release_id ?? null, target?.standing ?? null]);
    expect(decision).toEqual(oracle({ ...shared, failure_class, deployment_context, enabled, target }));
  });
});
