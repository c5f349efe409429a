import type { Client } from '@temporalio/client';
import { evaluationWorkflowId, type EvaluationInput } from '../../domain/evaluation/run.ts';
import { startAlone, type RunReference } from './start-alone.ts';

export type EvaluationRuns = ReturnType<typeof createEvaluationRuns>;

/** Starts evaluations, one at a time of a subject. Throws RunInTheWay. */
export function createEvaluationRuns(client: Client) {
  return {
    start(input: EvaluationInput): Promise<RunReference> {
      const { evaluation_id, subject, actor } = input;
      return startAlone(client, {
        ...{
          workflow: 'evaluation',
          workflowId: evaluationWorkflowId(subject),
          input,
          actor,
          record_id: evaluation_id,
        },
        ...{ kind: 'evaluation', subject },
        summary: `Evaluation of ${subject}, asked for by ${actor}`,
      });
    },
  };
}
