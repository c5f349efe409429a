import type { RollbackDecision } from './policy.ts';
import { badForMs, nothingSeen, observe, type Sample, type WatchRules, type WatchState } from './watch.ts';
import type { DeploymentContext, FailureClass } from './words.ts';

/** How a service is looked after once its deploy is over, for as long as it lives (row D6). */
export interface StandingRules {
  readonly watch: WatchRules;
  readonly soak_ms: number;
  readonly restart: RestartRules;
}

/** At most `burst` restarts in any `window_ms`, at least `delay_ms` apart; window_ms > burst × delay_ms. */
export interface RestartRules {
  readonly burst: number;
  readonly delay_ms: number;
  readonly window_ms: number;
}

export interface StandingSample extends Sample {
  /** What the liveness probe says; that it runs, where there is none. */
  readonly alive: boolean;
}

export interface StandingState {
  readonly watch: WatchState;
  /** Watched time since which it was not alive; null while it is. */
  readonly dead_since_ms: number | null;
}

export type StandingVerdict =
  | { readonly finding: 'well' | 'unknown'; readonly reason: string }
  | {
      readonly finding: 'exited' | 'not_alive' | 'unhealthy' | 'drifted';
      readonly failure_class: FailureClass;
      readonly reason: string;
    };

/** What was started anew has all its time to come up again, whoever started it. */
export function observeStanding(before: StandingState, sample: StandingSample, rules: StandingRules): StandingState {
  const { watch, dead_since_ms } = isAnotherStart(before.watch, sample) ? afresh : before;
  const next = observe(watch, sample, rules.watch);
  return { watch: next, dead_since_ms: sample.alive ? null : (dead_since_ms ?? next.watched_ms) };
}

const afresh: StandingState = { watch: nothingSeen, dead_since_ms: null };

function isAnotherStart({ first_started_at }: WatchState, { started_at }: Sample): boolean {
  return first_started_at !== null && started_at !== null && started_at !== first_started_at;
}

/**
 * What exits is known at once; everything else must last for unhealthy_ms of watched time, and does not count while it may
 * still be coming up: who restarts a slow starter for that does so for ever.
 */
export function judgeStanding(
  { watch, dead_since_ms }: StandingState,
  rules: StandingRules,
  expected_build_sha: string | null,
): StandingVerdict {
  const { last } = watch;
  if (last === null) return { finding: 'unknown', reason: 'nothing seen' };
  if (!last.running) {
    const reason = last.oom_killed ? 'oom_killed' : last.reason;
    return { finding: 'exited', failure_class: 'watchdog_failure', reason };
  }
  const comingUp = isComingUp(watch, last, rules.watch);
  const deadFor = dead_since_ms === null ? 0 : watch.watched_ms - dead_since_ms;
  if (!comingUp && deadFor >= rules.watch.unhealthy_ms) {
    return { finding: 'not_alive', failure_class: 'watchdog_failure', reason: 'liveness_failed' };
  }
  const reported = last.reported_build_sha;
  if (expected_build_sha !== null && reported !== null && reported !== expected_build_sha) {
    return { finding: 'drifted', failure_class: 'health_failure', reason: `build_sha_mismatch:${reported}` };
  }
  if (!comingUp && badForMs(watch) >= rules.watch.unhealthy_ms) {
    return { finding: 'unhealthy', failure_class: 'health_failure', reason: last.reason };
  }
  return { finding: last.healthy ? 'well' : 'unknown', reason: last.reason };
}

/** Never seen well yet, and started less than startup_ms ago. */
function isComingUp({ up_since_ms, watched_ms }: WatchState, last: Sample, { startup_ms }: WatchRules): boolean {
  if (up_since_ms !== null) return false;
  const age = last.started_at === null ? watched_ms : last.at_ms - Date.parse(last.started_at);
  return age < startup_ms;
}

export interface StandingFacts {
  readonly finding: 'exited' | 'not_alive' | 'unhealthy' | 'drifted';
  readonly deployment_context: DeploymentContext;
  readonly safe_mode: boolean;
  /** Promoted less than soak_ms ago. */
  readonly young: boolean;
  /** A dependency that is not the service's own is down. */
  readonly dependency_down: boolean;
  /** The machine was started anew since the service was: it went down with it. */
  readonly rebooted: boolean;
  /** What policy says to going back to the release before. */
  readonly rollback: RollbackDecision;
  /** Unix times of the restarts there were, oldest first. */
  readonly restarts_ms: readonly number[];
  readonly now_ms: number;
  readonly restart: RestartRules;
}

export type StandingDecision =
  | { readonly action: 'roll_back' }
  | { readonly action: 'restart' }
  /** The breaker is open, or it is too soon after the last restart. */
  | { readonly action: 'wait'; readonly until_ms: number; readonly reason: 'breaker_open' | 'restart_delay' }
  | { readonly action: 'report'; readonly reason: string };

/**
 * Of what is not ours nothing is touched. A young release that fails goes back, where policy allows that; a machine that was
 * switched off is no failure of it. What does not run, or is not alive, is started again within its breaker. Bad readiness
 * alone never restarts anything.
 */
export function decideStanding(facts: StandingFacts): StandingDecision {
  if (facts.deployment_context === 'external') return { action: 'report', reason: 'not_owned' };
  if (facts.safe_mode) return { action: 'report', reason: 'safe_mode_active' };
  const down = facts.finding === 'exited' || facts.finding === 'not_alive';
  if (facts.dependency_down && !down) return { action: 'report', reason: 'dependency_down' };
  const mayGoBack = facts.rollback.status === 'allowed' && facts.rollback.action === 'roll_back';
  if (facts.young && mayGoBack && !facts.dependency_down && !facts.rebooted) return { action: 'roll_back' };
  if (!down) return { action: 'report', reason: facts.young ? facts.rollback.reason : 'not_young' };
  return nextRestart(facts);
}

function nextRestart({ restarts_ms, now_ms, restart }: StandingFacts): StandingDecision {
  const recent = restarts_ms.filter((at) => at > now_ms - restart.window_ms);
  // With this one out of the window there is room for one more.
  const oldest = recent.at(-restart.burst);
  if (oldest !== undefined) return { action: 'wait', until_ms: oldest + restart.window_ms, reason: 'breaker_open' };
  const soonest = (recent.at(-1) ?? -Infinity) + restart.delay_ms;
  return soonest > now_ms ? { action: 'wait', until_ms: soonest, reason: 'restart_delay' } : { action: 'restart' };
}
