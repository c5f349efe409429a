import fc from 'fast-check';
import { pairedTest } from '../../../domain/evaluation/paired-test.ts';

const zeros = (of: readonly number[]) => of.map(() => 0);
const once = { rounds: 1, seed: 1 };

/** Differences with a t of exactly this. */
function withT(t: number, n: number): number[] {
  const spread = Array.from({ length: n }, (_, index) => index - (n - 1) / 2);
  const variance = spread.reduce((sum, each) => sum + each * each, 0) / (n - 1);
  return spread.map((each) => each + t * Math.sqrt(variance / n));
}

test.each([
  // Of printed tables of Student's t, two-sided.
  [12.706, 2, 0.05],
  [2.776, 5, 0.05],
  [2.262, 10, 0.05],
  [3.25, 10, 0.01],
  [2.045, 30, 0.05],
  [1.984, 100, 0.05],
  [3.39, 101, 0.001],
])('C9 paired t: t %d of %d questions is p %d', (t, n, p) => {
  const differences = withT(t, n);
  const test = pairedTest(differences, zeros(differences), once);
  expect(test.t).toBeCloseTo(t, 6);
  expect(Math.abs((test.t_p ?? 1) / p - 1)).toBeLessThan(0.01);
});

test('C9 randomisation comes to about the p of the t test where that one holds', () => {
  const differences = withT(2.0, 60);
  const test = pairedTest(differences, zeros(differences), { rounds: 20_000, seed: 7 });
  expect(Math.abs(test.randomised_p - (test.t_p ?? 1))).toBeLessThan(0.01);
});

test('C9 randomisation by hand: of the 8 ways to sign 3 equal differences 2 are as large', () => {
  const { randomised_p } = pairedTest([0.1, 0.1, 0.1], [0, 0, 0], { rounds: 40_000, seed: 3 });
  expect(Math.abs(randomised_p - 0.25)).toBeLessThan(0.01);
});

test('C9 the same seed gives the same p, which is never 0', () => {
  const differences = withT(9, 40);
  const run = (seed: number) => pairedTest(differences, zeros(differences), { rounds: 1_000, seed }).randomised_p;
  expect(run(11)).toBe(run(11));
  expect(run(11)).toBe(1 / 1_001);
});

test('C9 rankers that do the same are told apart by no test', () => {
  const same = pairedTest([0.2, 0.5, 0.9], [0.2, 0.5, 0.9]);
  expect(same).toMatchObject({ difference: 0, t: null, t_p: null, randomised_p: 1 });
  expect(pairedTest([], [])).toMatchObject({ questions: 0, difference: 0, t: null });
  expect(() => pairedTest([1], [])).toThrow(RangeError);
});

test('C9 swapping the rankers turns the difference round and leaves p', () => {
  const score = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);
  fc.assert(
    fc.property(fc.array(fc.tuple(score, score), { minLength: 2, maxLength: 30 }), (pairs) => {
      const [one, other] = [pairs.map(([a]) => a), pairs.map(([, b]) => b)];
      const [there, back] = [
        pairedTest(one, other, { rounds: 50, seed: 5 }),
        pairedTest(other, one, { rounds: 50, seed: 5 }),
      ];
      expect(back.difference).toBeCloseTo(-there.difference, 12);
      expect(back.randomised_p).toBe(there.randomised_p);
      if (there.t_p === null) return;
      expect(back.t_p ?? 2).toBeCloseTo(there.t_p, 12);
      expect(there.t_p).toBeGreaterThanOrEqual(0);
      expect(there.t_p).toBeLessThanOrEqual(1);
    }),
    { numRuns: 200 },
  );
});
