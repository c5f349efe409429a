import fc from 'fast-check';
import {
  judge,
  nothingSeen,
  observe,
  toleratedShare,
  type Sample,
  type Verdict,
  type WatchRules,
  type WatchState,
} from '../../domain/deploy/watch.ts';
import { fullSize } from '../support/proof-size.ts';

/** How many random histories each property is tried on. */
const runs = fullSize ? 10_000 : 500;

type Look = Omit<Sample, 'at_ms'>;

const rules: WatchRules = {
  startup_ms: 5_000,
  stable_ms: 3_000,
  window_ms: 20_000,
  period_ms: 1_000,
  unhealthy_ms: 3_000,
  max_flaps: 2,
};
const sha = 'a'.repeat(40);

const good: Look = {
  ...{ running: true, pid: 7, started_at: '2026-01-01T00:00:00.000Z', restart_count: 0, exit_code: null },
  ...{
    exit_signal: null,
    oom_killed: false,
    healthy: true,
    reason: 'http_ok',
    answered: true,
    reported_build_sha: sha,
  },
};
const refused: Look = { ...good, healthy: false, reason: 'http_error', answered: false, reported_build_sha: null };
const failing: Look = { ...good, healthy: false, reason: 'http_status:500', reported_build_sha: null };
const exited: Look = { ...refused, running: false, pid: null, exit_code: 1, reason: 'process_exited:1' };
const oom: Look = { ...exited, exit_code: 137, oom_killed: true, reason: 'process_exited:137' };
const startedAgain: Look = { ...good, started_at: '2026-01-01T00:01:00.000Z' };
const drifted: Look = { ...good, reported_build_sha: 'b'.repeat(40) };

/** Every state and verdict over samples a period apart, or at these times. */
function watch(
  looks: readonly Look[],
  times?: readonly number[],
  asked = rules,
): { state: WatchState; verdict: Verdict }[] {
  let state = nothingSeen;
  return looks.map((look, i) => {
    state = observe(state, { ...look, at_ms: times?.[i] ?? i * asked.period_ms }, asked);
    return { state, verdict: judge(state, asked, sha) };
  });
}

/** What the deploy acts on: the first verdict there is. */
function verdictOf(looks: readonly Look[], times?: readonly number[], asked = rules): Verdict {
  const known = watch(looks, times, asked).find(({ verdict }) => verdict.verdict !== 'unknown');
  return known?.verdict ?? { verdict: 'unknown' };
}

const row = (n: number, look: Look) => Array.from({ length: n }, () => look);

describe('D6, D7 the watch', () => {
  test('D6 answering once is not enough: good is staying good for stable_ms', () => {
    expect(verdictOf(row(3, good)).verdict).toBe('unknown');
    expect(verdictOf(row(4, good))).toEqual({ verdict: 'good', reason: 'http_ok' });
  });

  const bad = 'bad' as const;
  test.each<[string, readonly Look[], 'bad' | 'flapping', string, string]>([
    ['exits before it was ever well', [refused, exited], bad, 'deploy_failure', 'process_exited:1'],
    ['never answers', row(6, refused), bad, 'deploy_failure', 'http_error'],
    ['answers, but never well', row(6, failing), bad, 'health_failure', 'http_status:500'],
    ['came up and died', [good, good, exited], bad, 'watchdog_failure', 'process_exited:1'],
    ['eats its memory before it came up', [refused, oom], bad, 'deploy_failure', 'oom_killed'],
    ['came up and ate its memory', [good, oom], bad, 'watchdog_failure', 'oom_killed'],
    ['came up and turned bad', [good, good, ...row(4, failing)], bad, 'health_failure', 'http_status:500'],
    ['was started again, by the count', [good, { ...good, restart_count: 2 }], bad, 'watchdog_failure', 'restarted:2'],
    ['was started again, by the time', [good, startedAgain], bad, 'watchdog_failure', 'restarted:1'],
    ['was started again before it came up', [refused, startedAgain], bad, 'watchdog_failure', 'restarted:1'],
    [
      'keeps starting and never comes up',
      [refused, { ...refused, restart_count: 1 }],
      bad,
      'deploy_failure',
      'restarted:1',
    ],
    ['flaps', [good, failing, good, failing, good, failing], 'flapping', 'watchdog_failure', 'flapping:3'],
    [
      'D15 is another build than was deployed',
      [drifted],
      bad,
      'health_failure',
      `build_sha_mismatch:${'b'.repeat(40)}`,
    ],
  ])('D7 a release that %s', (_, looks, verdict, failure_class, reason) => {
    expect(verdictOf(looks)).toEqual({ verdict, failure_class, reason });
  });

  test('D6 a count of restarts that goes on from the release before is no restart of this one', () => {
    expect(verdictOf(row(4, { ...good, restart_count: 9 })).verdict).toBe('good');
  });

  test('D6 what is good now and then, and never for stable_ms, is not kept', () => {
    const never = Array.from({ length: 25 }, (_, i) => (i % 3 === 2 ? failing : good));
    const patient = { ...rules, max_flaps: 100 };
    expect(verdictOf(never, undefined, patient)).toEqual({
      ...{ verdict: 'bad', failure_class: 'watchdog_failure', reason: 'never_stable' },
    });
  });

  test('D6 a stall shorter than unhealthy_ms is not a failure, but must be over for stable_ms', () => {
    const stalled = [good, good, failing, failing];
    expect(verdictOf([...stalled, ...row(3, good)]).verdict).toBe('unknown');
    expect(verdictOf([...stalled, ...row(4, good)])).toEqual({ verdict: 'good', reason: 'http_ok' });
  });

  test('D6 a probe that hung counts for as long as it hung: two lost ones in thirty seconds are not good yet', () => {
    const asked = { ...rules, stable_ms: 30_000, window_ms: 100_000, timeout_ms: 2_000 };
    const lost = (count: number) => {
      const looks = Array.from({ length: 30 }, (_, i) =>
        i >= 10 && i < 10 + 2 * count && i % 2 === 0 ? refused : good,
      );
      let at = 0;
      const times = looks.map((look) => (at += look.healthy ? 1_000 : 2_000) - (look.healthy ? 1_000 : 2_000));
      return verdictOf([...looks, good], [...times, at], asked).verdict;
    };
    expect([lost(0), lost(1), lost(2)]).toEqual(['good', 'good', 'unknown']);
  });

  test('D6 time in which nobody watched is neither good nor bad', () => {
    // Ten minutes between two looks: not ten minutes of health, of silence, or of failing.
    expect(verdictOf([good, good], [0, 600_000]).verdict).toBe('unknown');
    expect(verdictOf([refused, refused], [0, 600_000]).verdict).toBe('unknown');
    expect(verdictOf([good, failing, failing], [0, 1_000, 601_000]).verdict).toBe('unknown');
  });

  test('D6 a look may take as long as a probe may, and is watched time', () => {
    const slow = { ...rules, timeout_ms: 10_000, unhealthy_ms: 30_000, window_ms: 100_000 };
    expect(verdictOf([good, ...row(4, refused)], [0, 1_000, 11_000, 21_000, 31_000], slow).verdict).toBe('bad');
  });
});

describe('D6 the watch over any samples', () => {
  const looks = fc.constantFrom(good, good, good, failing, refused);
  const anyLook = fc.constantFrom(good, good, good, good, failing, refused, exited, oom, startedAgain, drifted);
  /** Mostly as asked for, sometimes late, sometimes hours, sometimes a clock that was set back. */
  const gap = fc.oneof(
    { weight: 6, arbitrary: fc.constant(1_000) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 2_500 }) },
    { weight: 1, arbitrary: fc.integer({ min: -10_000, max: 7_200_000 }) },
  );
  const steps = (look: fc.Arbitrary<Look>, maxLength = 60) => fc.array(fc.tuple(look, gap), { maxLength, size: 'max' });
  const anyRules = fc.record({
    startup_ms: fc.integer({ min: 500, max: 10_000 }),
    stable_ms: fc.integer({ min: 500, max: 20_000 }),
    window_ms: fc.integer({ min: 20_000, max: 60_000 }),
    period_ms: fc.constantFrom(100, 1_000, 5_000),
    unhealthy_ms: fc.integer({ min: 100, max: 30_000 }),
    max_flaps: fc.integer({ min: 0, max: 10 }),
    timeout_ms: fc.option(fc.integer({ min: 100, max: 5_000 }), { nil: undefined }),
  });
  type Step = readonly [Look, number];
  const timesOf = (taken: readonly Step[]) => {
    let at = 1_000_000;
    return taken.map(([, passed]) => (at += passed));
  };
  const run = (taken: readonly Step[], asked: WatchRules) =>
    watch(
      taken.map(([look]) => look),
      timesOf(taken),
      asked,
    );
  const most = ({ period_ms, timeout_ms }: WatchRules) => period_ms + Math.max(period_ms, timeout_ms ?? 0);
  const counted = (passed: number, asked: WatchRules) => Math.min(Math.max(0, passed), most(asked));

  test('D6 good means stable_ms of watched time since it came up, all but a tolerated share of it good', () => {
    let goods = 0;
    fc.assert(
      fc.property(steps(looks), anyRules, (taken, asked) => {
        const end = run(taken, asked).findIndex(({ verdict }) => verdict.verdict === 'good');
        if (end === -1) return;
        goods += 1;
        // Reckoned backwards from the raw samples: each counts until the next one, no longer than a look may take.
        let watched = 0;
        let badly = 0;
        for (let i = end; i > 0 && watched < asked.stable_ms; i -= 1) {
          const length = Math.min(counted(taken[i]?.[1] ?? 0, asked), asked.stable_ms - watched);
          watched += length;
          if (taken[i - 1]?.[0].healthy !== true) badly += length;
        }
        expect(taken[end]?.[0].healthy).toBe(true);
        expect(watched).toBe(asked.stable_ms);
        expect(badly).toBeLessThanOrEqual(asked.stable_ms * toleratedShare);
      }),
      { numRuns: runs },
    );
    expect(goods).toBeGreaterThan(runs / 50);
  });

  test('D6 how long nobody looked makes no difference', () => {
    fc.assert(
      fc.property(steps(anyLook), anyRules, fc.integer({ min: 1, max: 86_400_000 }), (taken, asked, longer) => {
        const stretched = taken.map(([look, passed]): Step => [look, passed >= most(asked) ? passed + longer : passed]);
        const verdicts = (of: readonly Step[]) => run(of, asked).map(({ verdict }) => verdict);
        expect(verdicts(stretched)).toEqual(verdicts(taken));
      }),
      { numRuns: runs / 2 },
    );
  });

  test('D6 a restart is seen at the next look, whatever lies between, and never forgotten', () => {
    const again = fc.constantFrom<((look: Look) => Look)[]>(
      (look) => ({ ...look, restart_count: look.restart_count + 1 }),
      (look) => ({ ...look, started_at: '2026-01-01T01:00:00.000Z' }),
    );
    fc.assert(
      fc.property(steps(looks), steps(looks), again, anyRules, (before, after, restart, asked) => {
        fc.pre(before.length > 0);
        const restarted = after.map(([look, passed]): Step => [restart(look), passed]);
        const later = run([...before, ...restarted], asked).slice(before.length);
        return later.every(({ verdict }) => verdict.verdict === 'bad' && verdict.reason === 'restarted:1');
      }),
      { numRuns: runs / 2 },
    );
  });

  test('D6 the end of the program is named at once: its exit code, or its memory', () => {
    fc.assert(
      fc.property(steps(looks, 20), fc.constantFrom(exited, oom), anyRules, (before, end, asked) => {
        const { verdict } = run([...before, [end, 1_000]], asked).at(-1) ?? {};
        const failure_class = before.some(([look]) => look.healthy) ? 'watchdog_failure' : 'deploy_failure';
        const reason = end.oom_killed ? 'oom_killed' : 'process_exited:1';
        expect(verdict).toEqual({ verdict: 'bad', failure_class, reason });
      }),
    );
  });

  test('D6 the watch always ends: after window_ms of watched time there is a verdict', () => {
    fc.assert(
      fc.property(steps(anyLook, 120), anyRules, (taken, asked) => {
        const over = run(taken, asked).filter(({ state }) => state.watched_ms >= asked.window_ms);
        return over.every(({ verdict }) => verdict.verdict !== 'unknown');
      }),
      { numRuns: runs / 2 },
    );
  });

  test('D6 never more watched than there was time, and an attempt that looks twice at one moment changes no verdict', () => {
    fc.assert(
      fc.property(steps(anyLook), anyRules, (taken, asked) => {
        const seen = run(taken, asked);
        const total = taken.slice(1).reduce((sum, [, passed]) => sum + Math.max(0, passed), 0);
        expect(seen.at(-1)?.state.watched_ms ?? 0).toBeLessThanOrEqual(total);
        const twice = taken.flatMap(([look, passed]): Step[] => [
          [look, passed],
          [look, 0],
        ]);
        const verdicts = run(twice, asked)
          .filter((_, i) => i % 2 === 1)
          .map(({ verdict }) => verdict);
        expect(verdicts).toEqual(seen.map(({ verdict }) => verdict));
      }),
      { numRuns: runs / 2 },
    );
  });

  test('D6 what is remembered stays small, and is the same after a journey through a heartbeat', () => {
    const hour = { ...rules, startup_ms: 3_600_000, stable_ms: 3_600_000, window_ms: 7_200_000, period_ms: 100 };
    const patient = { ...hour, unhealthy_ms: 3_600_000, max_flaps: 100 };
    fc.assert(
      fc.property(steps(anyLook, 3_000), fc.constantFrom<WatchRules[]>(rules, patient), (taken, asked) => {
        let state = nothingSeen;
        let travelled = nothingSeen;
        timesOf(taken).forEach((at_ms, i) => {
          const sample = { ...(taken[i]?.[0] ?? good), at_ms };
          state = observe(state, sample, asked);
          travelled = observe(JSON.parse(JSON.stringify(travelled)) as WatchState, sample, asked);
        });
        expect(travelled).toEqual(state);
        expect(state.recent_bad_ms.length).toBeLessThanOrEqual(42);
        expect(JSON.stringify(state).length).toBeLessThan(2_000);
      }),
      { numRuns: 40 },
    );
  });
});
