import type { DeployInput } from '../domain/deploy/run.ts';
import { judge, nothingSeen, observe, type WatchRules } from '../domain/deploy/watch.ts';
import type { FailureClass } from '../domain/deploy/words.ts';
import { onBox } from './proxies.ts';

export type WatchEnd = {
  /** Figures for the evidence. */
  readonly seen: Readonly<Record<string, unknown>>;
  readonly reason: string;
} & ({ readonly good: true } | { readonly good: false; readonly failure_class: FailureClass });

/** Samples come in slices of this long: few enough events, and little to look at again when a worker dies. */
const sliceMs = 4_000;

/** Row D6: looks at an instance until the rules of domain/deploy/watch.ts have a verdict. */
export async function watchInstance(
  { service, box }: DeployInput,
  instance: string,
  expectedBuildSha: string,
  rules: WatchRules,
  show: (progress: string) => void,
): Promise<WatchEnd> {
  const slice = Math.max(1, Math.ceil(Math.min(sliceMs, rules.stable_ms) / rules.period_ms));
  let state = nothingSeen;
  for (;;) {
    for (const sample of await onBox(box).observeInstance(service, instance, slice)) {
      state = observe(state, sample, rules);
      const verdict = judge(state, rules, expectedBuildSha);
      if (verdict.verdict === 'undecided') continue;
      const { samples, watched_ms, good_ms, flaps, last } = state;
      const seen = { samples, watched_ms, good_ms, flaps, last };
      return verdict.verdict === 'good'
        ? { good: true, reason: verdict.reason, seen }
        : { good: false, failure_class: verdict.failure_class, reason: verdict.reason, seen };
    }
    show(`good for ${state.good_ms} of ${rules.stable_ms} ms; last: ${state.last?.reason ?? 'nothing seen'}`);
  }
}
