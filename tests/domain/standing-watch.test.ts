import fc from 'fast-check';
import type { RollbackDecision } from '../../domain/deploy/policy.ts';
import {
  decideStanding,
  judgeStanding,
  observeStanding,
  type StandingDecision,
  type StandingFacts,
  type StandingRules,
  type StandingSample,
  type StandingState,
} from '../../domain/deploy/standing-watch.ts';
import { nothingSeen } from '../../domain/deploy/watch.ts';
import { deploymentContexts } from '../../domain/deploy/words.ts';
import { fullSize } from '../support/proof-size.ts';

const rules: StandingRules = {
  watch: {
    ...{ startup_ms: 60_000, stable_ms: 30_000, window_ms: 180_000, period_ms: 5_000 },
    ...{ unhealthy_ms: 30_000, max_flaps: 6 },
  },
  soak_ms: 3_600_000,
  restart: { burst: 3, delay_ms: 1_000, window_ms: 60_000 },
};
const sha = 'a'.repeat(40);
const began = Date.parse('2026-01-01T00:00:00.000Z');
const startedAt = (at_ms: number) => ({ started_at: new Date(at_ms).toISOString() });

type Look = Omit<StandingSample, 'at_ms'>;
const well: Look = {
  ...{ running: true, pid: 7, restart_count: 0, exit_code: null, exit_signal: null, oom_killed: false },
  ...{ healthy: true, reason: 'http_ok', answered: true, reported_build_sha: sha, alive: true },
  ...startedAt(began),
};
const unready: Look = { ...well, healthy: false, reason: 'http_status:503' };
const dead: Look = { ...well, healthy: false, reason: 'http_error', answered: false, alive: false };
const exited: Look = { ...dead, running: false, pid: null, exit_code: 1, reason: 'process_exited:1' };

const row = (seconds: number, look: Look) => Array.from({ length: seconds / 5 }, () => look);

/** What is found after these looks, five seconds apart, the first `after_ms` after the program began. */
function findingOf(looks: readonly Look[], after_ms = 3_600_000): string {
  let state: StandingState = { watch: nothingSeen, dead_since_ms: null };
  looks.forEach((look, i) => {
    state = observeStanding(state, { ...look, at_ms: began + after_ms + i * 5_000 }, rules);
  });
  const verdict = judgeStanding(state, rules, sha);
  return 'failure_class' in verdict
    ? `${verdict.finding} ${verdict.failure_class} ${verdict.reason}`
    : `${verdict.finding} ${verdict.reason}`;
}

describe('D6 what is found after the deploy', () => {
  test.each<[string, readonly Look[], string]>([
    ['nothing was seen', [], 'unknown nothing seen'],
    ['all is well', [well], 'well http_ok'],
    ['it ended', [well, exited], 'exited watchdog_failure process_exited:1'],
    ['it ate its memory', [well, { ...exited, oom_killed: true }], 'exited watchdog_failure oom_killed'],
    ['it is unready for a moment', [well, ...row(30, unready)], 'unknown http_status:503'],
    ['it stays unready', [well, ...row(35, unready)], 'unhealthy health_failure http_status:503'],
    ['it hangs for a moment', [well, ...row(30, dead)], 'unknown http_error'],
    ['it stays hung', [well, ...row(35, dead)], 'not_alive watchdog_failure liveness_failed'],
    ['its liveness comes and goes', [...row(30, dead), well, ...row(30, dead)], 'unknown http_error'],
    [
      'D15 it is another build',
      [well, { ...well, reported_build_sha: 'b'.repeat(40) }],
      `drifted health_failure build_sha_mismatch:${'b'.repeat(40)}`,
    ],
  ])('D6 when %s', (_, looks, finding) => {
    expect(findingOf(looks)).toBe(finding);
  });

  test('D6 a slow starter has startup_ms before anything is held against it, also when somebody else started it again', () => {
    expect(findingOf(row(55, dead), 2_000)).toBe('unknown http_error');
    expect(findingOf(row(65, dead), 2_000)).toBe('not_alive watchdog_failure liveness_failed');
    const again = startedAt(began + 3_600_000 + 5_000);
    const slow = (seconds: number) => [well, ...row(seconds, { ...dead, ...again })];
    expect(findingOf(slow(55))).toBe('unknown http_error');
    expect(findingOf(slow(70))).toBe('not_alive watchdog_failure liveness_failed');
    // Once it was well, the time to start is over.
    expect(findingOf([well, { ...well, ...again }, ...row(35, { ...unready, ...again })])).toMatch(/^unhealthy/);
  });

  test('D6 where nobody knows when it started, its time to start is the time watched', () => {
    const unknown = { ...dead, started_at: null };
    expect(findingOf(row(60, unknown))).toBe('unknown http_error');
    expect(findingOf(row(65, unknown))).toMatch(/^not_alive/);
  });
});

const allowed: RollbackDecision = {
  ...{ status: 'allowed', reason: 'rollback_target_validated', target_valid: true, action: 'roll_back' },
};
const stop: RollbackDecision = {
  ...allowed,
  reason: 'rollback_target_unspecified',
  target_valid: null,
  action: 'stop',
};
const used: RollbackDecision = {
  ...allowed,
  status: 'denied',
  reason: 'automatic_rollback_already_used',
  action: 'nothing',
};

const base: StandingFacts = {
  ...{ finding: 'exited', deployment_context: 'self_hosted', safe_mode: false, young: true },
  ...{
    dependency_down: false,
    rebooted: false,
    rollback: allowed,
    restarts_ms: [],
    now_ms: began,
    restart: rules.restart,
  },
};

function everyCase(): StandingFacts[] {
  const both = [false, true];
  const cases: StandingFacts[] = [];
  for (const finding of ['exited', 'not_alive', 'unhealthy', 'drifted'] as const)
    for (const deployment_context of deploymentContexts)
      for (const safe_mode of both)
        for (const young of both)
          for (const dependency_down of both)
            for (const rollback of [allowed, stop, used])
              cases.push({ ...base, finding, deployment_context, safe_mode, young, dependency_down, rollback });
  return cases;
}

describe('D6 what is done about it', () => {
  const did = (action: StandingDecision['action']) =>
    everyCase().filter((facts) => decideStanding(facts).action === action);

  test('D6 a young release goes back only where policy allows that, and nothing it needs is down', () => {
    const back = did('roll_back');
    expect(back).toHaveLength(4);
    for (const facts of back) {
      expect(facts).toMatchObject({ young: true, rollback: allowed, dependency_down: false, safe_mode: false });
    }
  });

  test('D6 a machine that was switched off is no failure of a young release: it is started again', () => {
    for (const facts of everyCase()) {
      const { action } = decideStanding({ ...facts, rebooted: true });
      const down = facts.finding === 'exited' || facts.finding === 'not_alive';
      const ours = facts.deployment_context !== 'external' && !facts.safe_mode;
      expect(action).toBe(down && ours ? 'restart' : 'report');
    }
  });

  test('D6, D5 readiness alone, or another build, never restarts anything', () => {
    const restarted = did('restart');
    expect(new Set(restarted.map(({ finding }) => finding))).toEqual(new Set(['exited', 'not_alive']));
    // Down, ours, not in safe mode; and not young, or not to be rolled back.
    expect(restarted).toHaveLength(2 * (2 * 2 * 3 - 1));
  });

  test('D1, D10 what is not owned is never touched, and nothing is in safe mode', () => {
    const untouched = everyCase().filter((facts) => facts.deployment_context === 'external' || facts.safe_mode);
    expect(untouched).toHaveLength((3 / 4) * everyCase().length);
    expect(new Set(untouched.map((facts) => decideStanding(facts).action))).toEqual(new Set(['report']));
  });

  test('D10 what an automatic rollback put there is not rolled back again: it is started again', () => {
    expect(decideStanding({ ...base, rollback: used })).toEqual({ action: 'restart' });
  });

  test('D6 the breaker never lets more than burst restarts into any window, nor two within the delay, and always says until when', () => {
    const anyRestart = fc
      .record({
        burst: fc.integer({ min: 1, max: 6 }),
        delay_ms: fc.integer({ min: 0, max: 5_000 }),
        spare_ms: fc.integer({ min: 1, max: 60_000 }),
      })
      .map(({ burst, delay_ms, spare_ms }) => ({ burst, delay_ms, window_ms: burst * delay_ms + spare_ms }));
    const asks = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 20, maxLength: 150, size: 'max' });
    fc.assert(
      fc.property(anyRestart, anyRestart, asks, (first, second, gaps) => {
        const restarts_ms: number[] = [];
        let now_ms = began;
        // Halfway the operator asks for another breaker: it holds at once.
        const ask = (i: number) => (i < gaps.length / 2 ? first : second);
        return gaps.every((gap, i) => {
          now_ms += gap;
          const facts = { ...base, young: false, restarts_ms, now_ms, restart: ask(i) };
          const decision = decideStanding(facts);
          if (decision.action === 'restart') {
            const { burst, window_ms, delay_ms } = ask(i);
            const inWindow = restarts_ms.filter((at) => at > now_ms - window_ms);
            const sinceLast = now_ms - (restarts_ms.at(-1) ?? -Infinity);
            restarts_ms.push(now_ms);
            return inWindow.length < burst && sinceLast >= delay_ms;
          }
          if (decision.action !== 'wait' || decision.until_ms <= now_ms) return false;
          const tooSoon = decideStanding({ ...facts, now_ms: decision.until_ms - 1 });
          const then = decideStanding({ ...facts, now_ms: decision.until_ms });
          // Only the delay can still be in the way when the breaker closes again.
          return tooSoon.action === 'wait' && (then.action === 'restart' || decision.reason === 'breaker_open');
        });
      }),
      { numRuns: fullSize ? 5_000 : 200 },
    );
  });
});
