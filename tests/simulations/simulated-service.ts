import {
  judge,
  nothingSeen,
  observe,
  type Sample,
  type Verdict,
  type WatchRules,
  type WatchState,
} from '../../domain/deploy/watch.ts';

/** Numbers in [0, 1) that the seed decides (mulberry32): millions of them without a repetition. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What a probe that begins at `at_ms` finds, and how long it takes to find it. */
export type Probed = (at_ms: number) => { readonly reason: string; readonly took_ms: number };

export const answer = { reason: 'http_ok', took_ms: 5 } as const;
export const refusal = { reason: 'http_error', took_ms: 2 } as const;
export const unready = { reason: 'http_status:503', took_ms: 5 } as const;

export interface Noise {
  readonly random: () => number;
  readonly timeout_ms: number;
  /** The share of probes that are lost: no answer until the time limit. */
  readonly lossShare: number;
}

export function withLoss(service: Probed, { random, timeout_ms, lossShare }: Noise): Probed {
  return (at) => (random() < lossShare ? { reason: 'http_error', took_ms: timeout_ms } : service(at));
}

/** From `from_ms` on nothing is answered for `length_ms`: a probe waits until it is over, or gives up before. */
export function withStall(service: Probed, from_ms: number, length_ms: number, timeout_ms: number): Probed {
  return (at) => {
    const left = from_ms + length_ms - at;
    if (at < from_ms || left <= 0) return service(at);
    return left < timeout_ms ? { ...service(at), took_ms: left } : { reason: 'http_error', took_ms: timeout_ms };
  };
}

/** A database that is away: the service says so at once, or makes its callers wait for it. */
export function withBlip(service: Probed, from_ms: number, length_ms: number, found: ReturnType<Probed>): Probed {
  return (at) => (at >= from_ms && at < from_ms + length_ms ? found : service(at));
}

export interface Looked {
  readonly verdict: Verdict;
  readonly state: WatchState;
  readonly end_ms: number;
}

export interface Look {
  readonly rules: WatchRules;
  readonly begin_ms: number;
  /** It was seen well before, as in the second watch of a start-first deploy. */
  readonly cameUp: boolean;
  readonly random: () => number;
}

/** As workflows/watch-instance.ts has it done: looks a period apart, in slices with a little time lost between them. */
export function watchUntilVerdict(service: Probed, { rules, begin_ms, cameUp, random }: Look): Looked {
  let state: WatchState = cameUp ? { ...nothingSeen, up_since_ms: 0 } : nothingSeen;
  let at = begin_ms;
  for (let sliceEnds = begin_ms + 30_000; ;) {
    const { reason, took_ms } = service(at);
    state = observe(state, sampleOf(at, reason), rules);
    const verdict = judge(state, rules, null);
    if (verdict.verdict !== 'unknown') return { verdict, state, end_ms: at };
    at += Math.max(rules.period_ms, took_ms) + random() * 5;
    if (at >= sliceEnds) {
      at += 20 + random() * 100;
      sliceEnds = at + 30_000;
    }
  }
}

export function sampleOf(at_ms: number, reason: string): Sample & { readonly alive: boolean } {
  return {
    ...{ at_ms, reason, running: true, pid: 7, started_at: '2026-01-01T00:00:00.000Z', restart_count: 0 },
    ...{ exit_code: null, exit_signal: null, oom_killed: false, reported_build_sha: null, alive: true },
    healthy: reason === 'http_ok',
    answered: reason.startsWith('http_status') || reason === 'http_ok',
  };
}
