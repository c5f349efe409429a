import fc from 'fast-check';
import { fullSize } from '../../support/proof-size.ts';
import { interleave } from './interleavings.ts';
import { everyRule, type KeptRules } from './simulated-stores.ts';

const runs = fullSize ? 4_000 : 400;
const choices = fc.array(fc.nat(1_000_000), { minLength: 50, maxLength: 400 });

test('G1 to G9 in thousands of interleavings every reader has what its number means, and at rest both stores are the same', () => {
  let commits = 0;
  fc.assert(
    fc.property(choices, (all) => {
      const found = interleave(all);
      commits += found.commits;
      expect(found.broken).toBeNull();
    }),
    { numRuns: runs },
  );
  // A search in which nothing happens finds nothing.
  expect(commits).toBeGreaterThan(runs);
}, 300_000);

// The search is worth what it finds: without these rules a counterexample comes up.
const weakened: readonly (readonly [string, readonly (keyof KeptRules)[]])[] = [
  ['G1 numbers that are never used again', ['numbersAreNeverUsedAgain']],
  ['G3 the comparison', ['proofCompares']],
  ['G4 the parent and G5 the doom of waves', ['parentIsChecked', 'rollbackDoomsWaves']],
  ['G4 the incarnation', ['incarnationIsChecked']],
  ['G5 the sweep before writing', ['sweepComesBeforeWriting']],
  ['G6 the order of sweeps', ['latestIsSweptFirst']],
  ['G6 the wait for readers', ['readersAreWaitedFor']],
  ['G7 the look for pins', ['pinsAreLookedFor']],
  ['G8 the join to rows', ['answersAreJoinedToRows']],
];
test.each(weakened)(
  'without %s something breaks',
  (_, left) => {
    const rules = { ...everyRule, ...Object.fromEntries(left.map((rule) => [rule, false])) };
    const search = fc.check(
      fc.property(choices, (all) => interleave(all, rules).broken === null),
      { numRuns: 20_000, endOnFailure: true },
    );
    expect(search.failed).toBe(true);
  },
  300_000,
);
