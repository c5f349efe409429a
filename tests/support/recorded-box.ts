import type { DeployActivities } from '../../activities/deploy.ts';
import type { OperationsActivities, ServiceFacts } from '../../activities/operations.ts';
import { emptyResult } from '../../domain/deploy/result.ts';
import type { Sample } from '../../domain/deploy/watch.ts';
import { defaultRollbackMatrix } from '../../domain/deploy/policy.ts';
import type { DeployResult } from '../../domain/deploy/schemas.ts';

export const newRelease = 'b'.repeat(40);
export const oldRelease = 'a'.repeat(40);

/** Activities that keep a list of what was asked of them, and fail where a test says so. For the state machine alone. */
export function recordedBox(overrides: Partial<DeployActivities & OperationsActivities> = {}) {
  const calls: string[] = [];
  let facts: ServiceFacts = {
    desired: { release_id: oldRelease, state: 'running', epoch: 4, instance: 'before' },
    safe_mode: false,
    source_ref: 'main',
    rollback_on: defaultRollbackMatrix,
    watch: { startup_ms: 500, stable_ms: 500, window_ms: 2_000, period_ms: 100, unhealthy_after: 3, max_flaps: 3 },
    releases: [{ release_id: oldRelease, standing: 'good' }],
  };
  let clock = 0;
  let saved: DeployResult | null = null;

  const operations: OperationsActivities = {
    takeLocks: async (wishes, run) => wishes.map((wish, i) => ({ ...wish, ...run, token: String(i + 1) })),
    releaseLocks: async () => void calls.push('releaseLocks'),
    openDeploy: async ({ request }) => emptyResult(request, 'self_hosted'),
    serviceFacts: async () => facts,
    record: async ({ phase, result }) => {
      saved = result;
      if (phase === 'closed') calls.push(`closed:${String(result.outcome)}`);
    },
    appendEvent: async () => undefined,
    setDesired: async (_, epoch, desired) => {
      calls.push(`desire:${desired.release_id === null ? 'nothing' : desired.release_id.slice(0, 1)}`);
      facts = { ...facts, desired: { ...desired, epoch: epoch + 1 } };
      return epoch + 1;
    },
    setStanding: async (_, release, standing) => void calls.push(`${standing}:${release.slice(0, 1)}`),
    enterSafeMode: async () => void calls.push('safeMode'),
  };

  const box: DeployActivities = {
    resolveRelease: async () => ({ release_id: newRelease, branch: 'main', committed_at: '2026-01-01T00:00:00Z' }),
    checkGuards: async () => ({ free_disk_bytes: 1 }),
    buildRelease: async () => ({ digest: 'd' }),
    verifyRelease: async () => 'ok',
    stopOthers: async () => {
      calls.push('stop');
      return [];
    },
    startInstance: async ({ instance }) => {
      calls.push(`start:${instance.split('.')[1] ?? instance}`);
      return { pid: 1, started_at: null };
    },
    observeInstance: async (_, instance, count) =>
      samples(count, instance.endsWith('.rollback') ? oldRelease : newRelease),
    prune: async () => [],
  };

  function samples(count: number, build_sha: string, part: Partial<Sample> = {}): Sample[] {
    return Array.from({ length: count }, () => ({
      at_ms: (clock += 100),
      running: true,
      pid: 1,
      restart_count: 0,
      exit_code: null,
      exit_signal: null,
      healthy: true,
      reason: 'http_ok',
      answered: true,
      reported_build_sha: build_sha,
      ...part,
    }));
  }

  return {
    calls,
    samples,
    saved: () => saved,
    change: (part: Partial<ServiceFacts>) => (facts = { ...facts, ...part }),
    activities: { ...operations, ...box, ...overrides },
  };
}
