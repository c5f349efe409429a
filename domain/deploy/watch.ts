import type { FailureClass } from './words.ts';

/** One look at a service: what the driver and the probe saw at one moment. */
export interface Sample {
  /** Unix time in milliseconds. */
  readonly at_ms: number;
  readonly running: boolean;
  readonly pid: number | null;
  /** ISO time; another one than before means that it was restarted while nobody looked. */
  readonly started_at: string | null;
  readonly restart_count: number;
  readonly exit_code: number | null;
  readonly exit_signal: string | null;
  readonly oom_killed: boolean;
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
  /** How long it must have been good, in time that somebody watched. */
  readonly stable_ms: number;
  /** The most watched time that a verdict may take. */
  readonly window_ms: number;
  readonly period_ms: number;
  /** How long one look may take, so long as it is no gap; default: no longer than a period. */
  readonly timeout_ms?: number | undefined;
  /** Bad for this long without a break is unhealthy; shorter is a stall, or a database that blinked. */
  readonly unhealthy_ms: number;
  /** More changes from good to bad than this are flapping. */
  readonly max_flaps: number;
}

/** So much of stable_ms may have been bad: what networks do. More is not good yet. */
export const toleratedShare = 0.08;

/** What is remembered of stable_ms is kept in so many pieces, however many samples there were. */
const pieces = 40;

export type Verdict =
  | { readonly verdict: 'unknown' }
  | { readonly verdict: 'good'; readonly reason: string }
  | { readonly verdict: 'bad' | 'flapping'; readonly failure_class: FailureClass; readonly reason: string };

/** What the watch remembers between samples. Small: it travels in payloads and heartbeats. */
export interface WatchState {
  readonly samples: number;
  readonly watched_ms: number;
  /** Watched time at the first good sample; null before it. */
  readonly up_since_ms: number | null;
  /** Watched time since which every sample was bad; null while the last one was good. */
  readonly bad_since_ms: number | null;
  readonly flaps: number;
  readonly answered: boolean;
  /** What was bad in the last stable_ms: until when, in watched time, and for how long. At most some 40 entries. */
  readonly recent_bad_ms: readonly (readonly [until_ms: number, bad_ms: number])[];
  readonly first_started_at: string | null;
  readonly first_restart_count: number | null;
  readonly last: Sample | null;
}

export const nothingSeen: WatchState = {
  samples: 0,
  watched_ms: 0,
  up_since_ms: null,
  bad_since_ms: null,
  flaps: 0,
  answered: false,
  recent_bad_ms: [],
  first_started_at: null,
  first_restart_count: null,
  last: null,
};

/**
 * Adds one sample. Time between two samples counts as watched only up to a period and the longest look, at least twice the
 * period: a longer gap means that nobody looked, which is neither good nor bad. What happened in it is known from the
 * driver (exit, restarts), not guessed.
 */
export function observe(state: WatchState, sample: Sample, rules: WatchRules): WatchState {
  const passed = state.last === null ? 0 : Math.max(0, sample.at_ms - state.last.at_ms);
  const most = rules.period_ms + Math.max(rules.period_ms, rules.timeout_ms ?? 0);
  const watched_ms = state.watched_ms + Math.min(passed, most);
  const turnedBad = !sample.healthy && state.last?.healthy === true;
  return {
    samples: state.samples + 1,
    watched_ms,
    up_since_ms: state.up_since_ms ?? (sample.healthy ? watched_ms : null),
    bad_since_ms: sample.healthy ? null : (state.bad_since_ms ?? watched_ms),
    flaps: state.flaps + (turnedBad ? 1 : 0),
    answered: state.answered || sample.answered,
    recent_bad_ms: recentBad(state, watched_ms, rules),
    first_started_at: state.first_started_at ?? sample.started_at,
    first_restart_count: state.first_restart_count ?? sample.restart_count,
    last: sample,
  };
}

/** The time up to this sample belongs to the one before: a probe that hangs is bad for as long as it hung. */
function recentBad(
  { last, watched_ms: before, recent_bad_ms }: WatchState,
  watched_ms: number,
  { stable_ms }: WatchRules,
): WatchState['recent_bad_ms'] {
  const recent = recent_bad_ms.filter(([until]) => until > watched_ms - stable_ms);
  if (last === null || last.healthy) return recent;
  const bad_ms = watched_ms - before;
  const [open, length] = recent.at(-1) ?? [-Infinity, 0];
  // Put together, it is remembered a little longer than it should be, never shorter.
  const piece = Math.floor(watched_ms / (stable_ms / pieces));
  return Math.floor(open / (stable_ms / pieces)) === piece
    ? [...recent.slice(0, -1), [watched_ms, length + bad_ms]]
    : [...recent, [watched_ms, bad_ms]];
}

/** Row D7: what the samples so far mean for a release that should report `expected_build_sha`. */
export function judge(state: WatchState, rules: WatchRules, expected_build_sha: string | null): Verdict {
  const { last } = state;
  if (last === null) return { verdict: 'unknown' };
  const cameUp = state.up_since_ms !== null;

  if (!last.running) {
    return bad(cameUp ? 'watchdog_failure' : 'deploy_failure', last.oom_killed ? 'oom_killed' : last.reason);
  }
  const restarts = restartsSeen(state);
  if (restarts > 0) return bad(cameUp ? 'watchdog_failure' : 'deploy_failure', `restarted:${restarts}`);
  const reported = last.reported_build_sha;
  if (expected_build_sha !== null && reported !== null && reported !== expected_build_sha) {
    return bad('health_failure', `build_sha_mismatch:${reported}`);
  }
  if (state.flaps > rules.max_flaps) {
    return { verdict: 'flapping', failure_class: 'watchdog_failure', reason: `flapping:${state.flaps}` };
  }
  if (state.up_since_ms === null) {
    if (state.watched_ms < rules.startup_ms) return { verdict: 'unknown' };
    // It answers but was never well, or nothing ever answered: two different faults.
    return bad(state.answered ? 'health_failure' : 'deploy_failure', last.reason);
  }
  if (badForMs(state) >= rules.unhealthy_ms) return bad('health_failure', last.reason);
  if (last.healthy && isStable(state, rules)) return { verdict: 'good', reason: last.reason };
  if (state.watched_ms >= rules.window_ms) return bad('watchdog_failure', 'never_stable');
  return { verdict: 'unknown' };
}

/** How much watched time the present row of bad samples spans. */
export function badForMs({ bad_since_ms, watched_ms }: WatchState): number {
  return bad_since_ms === null ? 0 : watched_ms - bad_since_ms;
}

/** Starts that happened since the first look, seen or not. */
function restartsSeen({ last, first_restart_count, first_started_at }: WatchState): number {
  if (last === null) return 0;
  const counted = last.restart_count - (first_restart_count ?? 0);
  const another = first_started_at !== null && last.started_at !== null && last.started_at !== first_started_at;
  return Math.max(counted, another ? 1 : 0);
}

/** Good for stable_ms since it came up, but for the odd lost probe. A stall must first be that long ago. */
function isStable({ watched_ms, up_since_ms, recent_bad_ms }: WatchState, { stable_ms }: WatchRules): boolean {
  if (up_since_ms === null || watched_ms - up_since_ms < stable_ms) return false;
  const bad_ms = recent_bad_ms.reduce((sum, [, length]) => sum + length, 0);
  return bad_ms <= stable_ms * toleratedShare;
}

function bad(failure_class: FailureClass, reason: string): Verdict {
  return { verdict: 'bad', failure_class, reason };
}
