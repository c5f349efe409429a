import type { RestoreResult } from './schemas.ts';

export function emptyRestoreResult(): RestoreResult {
  return {
    ...{ outcome: null, failure_reason: null, safety_stamp: null, degraded: [], live: 'old', held_until: null },
    timings_ms: {},
  };
}
