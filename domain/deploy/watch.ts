import type { FailureClass } from './words.ts';

/** One look at a service: what the driver and the probe saw at one moment. */
export interface Sample {
  /** Unix time in milliseconds. */
  readonly at_ms: number;
  readonly running: boolean;
  readonly pid: number | null;
  readonly restart_count: number;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
  readonly healthy: boolean;
  /** A probe reason of row D5. */
  readonly reason: string;
  /** An HTTP status or command exit code came back at all, whatever it says. */
  readonly answered: boolean;
  /** What the service says it is; null when it does not say. */
  readonly reported_build_sha: string | null;
}

export interface WatchRules {
  /** How long a release may take until its first good probe. */
  readonly startup_ms: number;
  /** How long it must stay good, in time that somebody watched. */
  readonly stable_ms: number;
  /** The most watched time that a verdict may take. */
  readonly window_ms: number;
  readonly period_ms: number;
  /** This many bad probes in a row make it unhealthy; fewer are a stall. */
  readonly unhealthy_after: number;
  /** More changes from good to bad than this are flapping. */
  readonly max_flaps: number;
}

export type Verdict =
  | { readonly verdict: 'undecided' }
  | { readonly verdict: 'good'; readonly reason: string }
  | { readonly verdict: 'bad'; readonly failure_class: FailureClass; readonly reason: string };

/** What the watch remembers between samples. Small, so that it may live in a workflow. */
export interface WatchState {
  readonly samples: number;
  readonly watched_ms: number;
  readonly good_ms: number;
  readonly bad_in_a_row: number;
  readonly flaps: number;
  readonly came_up: boolean;
  readonly answered: boolean;
  readonly last: Sample | null;
}

export const nothingSeen: WatchState = {
  samples: 0,
  watched_ms: 0,
  good_ms: 0,
  bad_in_a_row: 0,
  flaps: 0,
  came_up: false,
  answered: false,
  last: null,
};

/**
 * Adds one sample. Time between two samples counts as watched only up to twice the period: a longer gap means that nobody
 * looked, which is neither good nor bad. What happened in it is known from the driver (exit, restarts), not guessed.
 */
export function observe(state: WatchState, sample: Sample, rules: WatchRules): WatchState {
  const passed = state.last === null ? 0 : Math.max(0, sample.at_ms - state.last.at_ms);
  const watched = Math.min(passed, 2 * rules.period_ms);
  const stayedGood = sample.healthy && state.last?.healthy === true;
  const turnedBad = !sample.healthy && state.last?.healthy === true;
  return {
    samples: state.samples + 1,
    watched_ms: state.watched_ms + watched,
    good_ms: sample.healthy ? state.good_ms + (stayedGood ? watched : 0) : 0,
    bad_in_a_row: sample.healthy ? 0 : state.bad_in_a_row + 1,
    flaps: state.flaps + (turnedBad ? 1 : 0),
    came_up: state.came_up || sample.healthy,
    answered: state.answered || sample.answered,
    last: sample,
  };
}

/** Row D7: what the samples so far mean for a release that should report `expected_build_sha`. */
export function judge(state: WatchState, rules: WatchRules, expected_build_sha: string): Verdict {
  const { last } = state;
  if (last === null) return { verdict: 'undecided' };

  if (!last.running) {
    return bad(state.came_up ? 'watchdog_failure' : 'deploy_failure', last.reason);
  }
  if (last.restart_count > 0) return bad('watchdog_failure', `restarted:${last.restart_count}`);
  if (last.reported_build_sha !== null && last.reported_build_sha !== expected_build_sha) {
    return bad('health_failure', `build_sha_mismatch:${last.reported_build_sha}`);
  }
  if (state.flaps > rules.max_flaps) return bad('watchdog_failure', `flapping:${state.flaps}`);
  if (state.came_up && state.bad_in_a_row >= rules.unhealthy_after) return bad('health_failure', last.reason);
  if (!state.came_up && state.watched_ms >= rules.startup_ms) {
    // It answers but was never well, or nothing ever answered: two different faults.
    return bad(state.answered ? 'health_failure' : 'deploy_failure', last.reason);
  }
  if (last.healthy && state.good_ms >= rules.stable_ms) return { verdict: 'good', reason: last.reason };
  if (state.watched_ms >= rules.window_ms) return bad('watchdog_failure', 'never_stable');
  return { verdict: 'undecided' };
}

function bad(failure_class: FailureClass, reason: string): Verdict {
  return { verdict: 'bad', failure_class, reason };
}
