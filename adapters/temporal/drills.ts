import type { Client } from '@temporalio/client';
import { drillWorkflowId, type DrillInput } from '../../domain/drill/run.ts';
import { startAlone, type RunReference } from './start-alone.ts';

export interface DrillStarts {
  /** Throws RunInTheWay. */
  readonly start: (input: DrillInput) => Promise<RunReference>;
}

/** One drill at a time. */
export function createDrillStarts(client: Client): DrillStarts {
  return {
    start(input) {
      const { drill_id, actor, request } = input;
      return startAlone(client, {
        ...{ workflow: 'drill', workflowId: drillWorkflowId, input, actor, record_id: drill_id },
        ...{ kind: 'drill', subject: 'drill' },
        summary: `Drill (${request.level}${request.damaged ? ', damaged copy' : ''}), asked for by ${actor}`,
      });
    },
  };
}
