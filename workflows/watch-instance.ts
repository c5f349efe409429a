import type { Placed } from '../activities/deploy.ts';
import { judge, nothingSeen, type Verdict, type WatchRules, type WatchState } from '../domain/deploy/watch.ts';
import type { FailureClass } from '../domain/deploy/words.ts';
import { onBox } from './proxies.ts';

export type WatchEnd = {
  /** Figures for the evidence. */
  readonly seen: Readonly<Record<string, unknown>>;
  readonly reason: string;
} & (
  { readonly good: true } | { readonly good: false; readonly failure_class: FailureClass; readonly running: boolean }
);

export interface LookFor {
  /** `traffic`: as the world sees it. */
  readonly via: 'instance' | 'traffic';
  /** It was seen well before: what goes wrong now did not stay, rather than never come up. */
  readonly cameUp: boolean;
}

/** Looks come in slices, so that Temporal's UI shows progress: soon once, then few enough for a short history. */
const firstSliceMs = 30_000;
const sliceMs = 60_000;

/** Row D6: looks at an instance until the rules of domain/deploy/watch.ts have a verdict. `rules` may change meanwhile. */
export async function watchInstance(
  box: string,
  { instance, expected_build_sha }: Pick<Placed, 'instance' | 'expected_build_sha'>,
  { via, cameUp }: LookFor,
  rules: () => WatchRules,
  show: (progress: string) => void,
): Promise<WatchEnd> {
  let state: WatchState = cameUp ? { ...nothingSeen, up_since_ms: 0 } : nothingSeen;
  for (let slice_ms = firstSliceMs; ; slice_ms = sliceMs) {
    const order = { instance, via, rules: rules(), expected_build_sha, slice_ms };
    state = await onBox(box).observeInstance({ ...order, state });
    const verdict = judge(state, rules(), expected_build_sha);
    if (verdict.verdict !== 'unknown') return ended(verdict, state);
    const { watched_ms, up_since_ms, last } = state;
    show(`watched for ${watched_ms} ms, up since ${up_since_ms ?? 'never'}; last: ${last?.reason ?? 'nothing seen'}`);
  }
}

function ended(verdict: Exclude<Verdict, { verdict: 'unknown' }>, state: WatchState): WatchEnd {
  const { samples, watched_ms, flaps, last, recent_bad_ms } = state;
  const { reason } = verdict;
  const seen = { verdict: verdict.verdict, samples, watched_ms, flaps, recent_bad: recent_bad_ms.length, last };
  return verdict.verdict === 'good'
    ? { good: true, reason, seen }
    : { good: false, failure_class: verdict.failure_class, reason, seen, running: last?.running ?? false };
}
