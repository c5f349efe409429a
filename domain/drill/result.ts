import type { DrillResult } from './schemas.ts';

export function emptyDrillResult(): DrillResult {
  return {
    ...{ outcome: null, failure_reason: null, stamp: null, target: null, rto_ms: {}, rpo_seconds: null, marker: null },
  };
}
