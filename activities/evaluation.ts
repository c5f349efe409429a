import { evaluate, pinOwner, type EvaluateDeps } from '../adapters/evaluation/evaluate.ts';
import { removeScratch } from '../adapters/evaluation/scratch.ts';
import type { EvaluationStore } from '../adapters/postgres/evaluations.ts';
import type { EvaluationInput } from '../domain/evaluation/run.ts';
import { withHeartbeat } from './heartbeat.ts';

export interface EvaluationDeps extends EvaluateDeps {
  readonly evaluations: Pick<EvaluationStore, 'before' | 'update' | 'find'>;
}

/** How often people are told how far it is. */
const tellEveryMs = 2_000;

/** Row C9. An attempt that follows a crash goes on with what is written and embedded. */
export function createEvaluationActivities(deps: EvaluationDeps) {
  const { evaluations, pins } = deps;
  return {
    evaluate: (input: EvaluationInput): Promise<void> =>
      withHeartbeat((signal) => {
        let toldAt = 0;
        const beat: Parameters<typeof evaluate>[2]['beat'] = (progress) => {
          if (Date.now() - toldAt < tellEveryMs) return;
          toldAt = Date.now();
          // Only told: the next word says more.
          evaluations.update(input.evaluation_id, { progress }).catch(() => undefined);
        };
        return evaluate(deps, input, { signal, beat });
      }),

    async failEvaluation({ evaluation_id }: EvaluationInput, reason: string): Promise<void> {
      await evaluations.update(evaluation_id, { state: 'failed', reason });
    },

    /** What an evaluation holds, and the project that a folder was read into, unless it is done and was to be kept. */
    async endEvaluation({ evaluation_id, request }: EvaluationInput): Promise<void> {
      await pins.unpin(pinOwner(evaluation_id));
      const done = (await evaluations.find(evaluation_id))?.result.state === 'done';
      if (request.folder !== undefined && !(request.keep && done)) await removeScratch(deps, evaluation_id);
    },
  };
}

export type EvaluationActivities = ReturnType<typeof createEvaluationActivities>;
