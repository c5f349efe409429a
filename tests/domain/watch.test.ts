import fc from 'fast-check';
import { judge, nothingSeen, observe, type Sample, type Verdict, type WatchRules } from '../../domain/deploy/watch.ts';

const rules: WatchRules = {
  startup_ms: 5_000,
  stable_ms: 3_000,
  window_ms: 20_000,
  period_ms: 1_000,
  unhealthy_after: 3,
  max_flaps: 2,
};
const sha = 'a'.repeat(40);

const good: Omit<Sample, 'at_ms'> = {
  running: true,
  pid: 7,
  restart_count: 0,
  exit_code: null,
  exit_signal: null,
  healthy: true,
  reason: 'http_ok',
  answered: true,
  reported_build_sha: sha,
};
const refused = { ...good, healthy: false, reason: 'http_error', answered: false, reported_build_sha: null };
const failing = { ...good, healthy: false, reason: 'http_status:500', reported_build_sha: null };
const exited = { ...refused, running: false, pid: null, exit_code: 1, reason: 'process_exited:1' };

/** The first verdict over samples a period apart. */
function verdictOf(looks: readonly Omit<Sample, 'at_ms'>[], times?: readonly number[]): Verdict {
  let state = nothingSeen;
  for (const [i, look] of looks.entries()) {
    state = observe(state, { ...look, at_ms: times?.[i] ?? i * rules.period_ms }, rules);
    const verdict = judge(state, rules, sha);
    if (verdict.verdict !== 'undecided') return verdict;
  }
  return { verdict: 'undecided' };
}

const times = (n: number, look: Omit<Sample, 'at_ms'>) => Array.from({ length: n }, () => look);

describe('D6, D7 the watch', () => {
  test('D6 answering once is not enough: good is staying good for stable_ms', () => {
    expect(verdictOf(times(3, good)).verdict).toBe('undecided');
    expect(verdictOf(times(4, good))).toEqual({ verdict: 'good', reason: 'http_ok' });
  });

  test.each<[string, readonly Omit<Sample, 'at_ms'>[], string, string]>([
    ['exits before it was ever well', [refused, exited], 'deploy_failure', 'process_exited:1'],
    ['never answers', times(7, refused), 'deploy_failure', 'http_error'],
    ['answers, but never well', times(7, failing), 'health_failure', 'http_status:500'],
    ['came up and died', [good, good, exited], 'watchdog_failure', 'process_exited:1'],
    ['came up and turned bad', [good, good, failing, failing, failing], 'health_failure', 'http_status:500'],
    ['was restarted by somebody', [good, { ...good, restart_count: 1 }], 'watchdog_failure', 'restarted:1'],
    ['flaps', [good, failing, good, failing, good, failing], 'watchdog_failure', 'flapping:3'],
    [
      'D15 is another build than was deployed',
      [{ ...good, reported_build_sha: 'b'.repeat(40) }],
      'health_failure',
      `build_sha_mismatch:${'b'.repeat(40)}`,
    ],
  ])('D7 a release that %s', (_, looks, failure_class, reason) => {
    expect(verdictOf(looks)).toEqual({ verdict: 'bad', failure_class, reason });
  });

  test('D6 a stall shorter than unhealthy_after probes is not a failure', () => {
    expect(verdictOf([good, failing, failing, ...times(4, good)])).toEqual({ verdict: 'good', reason: 'http_ok' });
  });

  test('D6 time in which nobody watched is neither good nor bad', () => {
    // Ten minutes between two looks: it counts as two periods, not as ten minutes of health or of silence.
    expect(verdictOf([good, good], [0, 600_000]).verdict).toBe('undecided');
    expect(verdictOf([refused, refused], [0, 600_000]).verdict).toBe('undecided');
  });

  test('D6 a release that is never good long enough is not promoted, whatever it does in between', () => {
    const look = fc.constantFrom(good, failing, refused, exited);
    fc.assert(
      fc.property(fc.array(fc.tuple(look, fc.integer({ min: 0, max: 60_000 })), { maxLength: 60 }), (steps) => {
        let at = 0;
        const ats = steps.map(([, gap]) => (at += gap));
        const verdict = verdictOf(
          steps.map(([sample]) => sample),
          ats,
        );
        if (verdict.verdict !== 'good') return;
        // Good needs at least stable_ms / (2 periods) good looks in a row.
        const run = Math.ceil(rules.stable_ms / (2 * rules.period_ms));
        const row = steps.map(([sample]) => (sample.healthy ? 'g' : 'b')).join('');
        expect(row).toContain('g'.repeat(run + 1));
      }),
      { numRuns: 2_000 },
    );
  });

  test('D6 the watch always ends: after window_ms of watched time there is a verdict', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(good, failing, refused), { minLength: 25, maxLength: 25 }), (looks) => {
        expect(verdictOf(looks).verdict).not.toBe('undecided');
      }),
    );
  });
});
