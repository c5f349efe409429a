import type { WaveResult } from './schemas.ts';

export function emptyWaveResult(): WaveResult {
  return {
    number: null,
    documents: 0,
    chunks: 0,
    embedded: 0,
    quarantined: 0,
    failed: 0,
    failure_reason: null,
    degraded: [],
    outcome: null,
  };
}
