import type { WatchRules } from '../domain/deploy/watch.ts';
import type { Outcome } from '../domain/deploy/words.ts';
import type { Cleanup } from './deploy-cleanup.ts';
import type { DeployEnd, Holdfast } from './deploy-holdfast.ts';
import type { Workload } from './deploy-workloads.ts';

/** What every part of the benchmark of one driver works with. */
export interface Bench {
  readonly holdfast: Holdfast;
  readonly workload: Workload;
  /** Of this run; removed at its end. */
  readonly folder: string;
  readonly dockerSocket: string;
  readonly rounds: number;
  readonly rules: WatchRules;
  readonly cleanup: Cleanup;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** The events of each deploy's history, by what came of it. */
  readonly histories: Map<string, number[]>;
}

/** One deploy that must end so, and is counted with the others of its kind. */
export async function deployTo(
  { holdfast, histories }: Bench,
  service: string,
  outcome: Outcome,
  request: Parameters<Holdfast['deploy']>[1] = {},
): Promise<DeployEnd> {
  const end = await holdfast.deploy(service, request);
  const { result, history_events } = end;
  if (result.outcome !== outcome) {
    const why = `${String(result.failure_reason)}, ${String(result.rollback_policy_reason)}`;
    throw new Error(`A deploy of ${service} ended ${String(result.outcome)} instead of ${outcome}: ${why}`);
  }
  const kind = `${String(result.cut_over)}, ${request.kind === 'rollback' ? 'rollback asked for' : outcome}`;
  histories.set(kind, [...(histories.get(kind) ?? []), history_events]);
  return end;
}
