import type { DeployActivities, LookOrder } from '../../activities/deploy.ts';
import type { OperationsActivities, ServiceFacts } from '../../activities/operations.ts';
import type { HeardOverride, OverrideActivities } from '../../activities/overrides.ts';
import { overrideMessageSchema } from '../../domain/deploy/override-schemas.ts';
import { defaultRollbackMatrix } from '../../domain/deploy/policy.ts';
import { emptyResult } from '../../domain/deploy/result.ts';
import type { DeployResult } from '../../domain/deploy/schemas.ts';
import { judge, observe, type Sample, type WatchState } from '../../domain/deploy/watch.ts';
import type { CutOver } from '../../domain/deploy/words.ts';

export const newRelease = 'b'.repeat(40);
export const oldRelease = 'a'.repeat(40);

type Activities = DeployActivities & OperationsActivities & OverrideActivities;

const letter = (release: string | null) => (release === null ? 'nothing' : release.slice(0, 1));
const roleOf = (instance: string) => instance.split('.')[1] ?? instance;

/** Activities that keep a list of what was asked of them, and fail where a test says so. For the state machine alone. */
export function recordedBox(overrides: Partial<Activities> = {}) {
  const calls: string[] = [];
  const answers: { accepted: boolean; refusal: string | null }[] = [];
  const events: { type: string; phase: string | null }[] = [];
  let cutOver: CutOver = 'stop_first';
  let facts: ServiceFacts = {
    desired: { release_id: oldRelease, state: 'running', epoch: 4, instance: 'before' },
    safe_mode: false,
    deployment_context: 'self_hosted',
    cut_over: 'stop_first',
    release_sources: ['request', 'registry', 'runtime', 'runtime_logs'],
    rollback_on: defaultRollbackMatrix,
    approval: { required: false, timeout_ms: 60_000, default: 'deny' },
    accept_no_rollback: false,
    has_executor: true,
    automatic_rollback_used: false,
    watch: { startup_ms: 500, stable_ms: 500, window_ms: 2_000, period_ms: 100, unhealthy_ms: 300, max_flaps: 3 },
    has_dependencies: false,
    releases: [good(oldRelease)],
  };
  let clock = 0;
  let saved: DeployResult | null = null;

  const operations: OperationsActivities = {
    takeLocks: async (wishes, run) => wishes.map((wish, i) => ({ ...wish, ...run, token: String(i + 1) })),
    releaseLocks: async () => void calls.push('releaseLocks'),
    openDeploy: async ({ request }) => emptyResult(request, facts.deployment_context),
    serviceFacts: async () => facts,
    record: async ({ phase, result, events: happened = [] }) => {
      saved = result;
      events.push(...happened.map(({ type, phase: part }) => ({ type, phase: part ?? null })));
      if (phase === 'closed') calls.push(`closed:${String(result.outcome)}`);
    },
    appendEvent: async () => undefined,
    setDesired: async (_, epoch, desired) => {
      calls.push(`desire:${letter(desired.release_id)}`);
      facts = { ...facts, desired: { ...desired, epoch: epoch + 1 } };
      return epoch + 1;
    },
    setStanding: async (_, release, standing) => void calls.push(`${standing}:${letter(release)}`),
    promote: async (_, release) => void calls.push(`good:${letter(release)}`),
    recordOutcome: async () => undefined,
    enterSafeMode: async () => void calls.push('safeMode'),
    wakeWatch: async () => undefined,
  };

  const rows: OverrideActivities = {
    hearOverride: async (_, said, id): Promise<HeardOverride> => {
      const parsed = overrideMessageSchema.safeParse({ actor: 'temporal', role: 'operator', ...(said as object) });
      return { id, message: parsed.success ? parsed.data : null };
    },
    unheardOverrides: async () => [],
    recordRequested: async () => undefined,
    answerOverride: async (_, answer) => void answers.push(answer),
  };

  const box: DeployActivities = {
    resolveRelease: async () => ({ release_id: newRelease, branch: 'main', committed_at: '2026-01-01T00:00:00Z' }),
    askSources: async (_, __, sources) => sources.map((source) => ({ source, ids: null, reason: 'nothing there' })),
    checkGuards: async () => [{ guard: 'disk_space', ok: true, reason: 'enough' }],
    downDependencies: async () => [],
    buildRelease: async () => ({ digest: 'd' }),
    verifyRelease: async () => 'ok',
    placeInstance: async ({ instance, release_id }) => ({
      ...{ instance, cut_over: cutOver, expected_build_sha: release_id },
      port: cutOver === 'start_first' ? 1_234 : null,
    }),
    standby: async () => null,
    stopOthers: async ({ keep }) => {
      calls.push(keep.length === 0 ? 'stop:all' : 'stop');
      return [];
    },
    startInstance: async ({ instance }) => {
      calls.push(`start:${roleOf(instance)}`);
      return { pid: 1, container_id: null, started_at: null };
    },
    observeInstance: async (order) => looks(order, order.instance.endsWith('.rollback') ? oldRelease : newRelease),
    checkIdentity: async () => [{ check: 'bits', ok: true, reason: 'same' }],
    pointTraffic: async ({ instance }) => {
      calls.push(`point:${roleOf(instance)}`);
      return { switched: true };
    },
    drainTraffic: async () => ({ cut: 0 }),
    removeSwitch: async () => undefined,
    prune: async () => [],
  };

  /** Samples of this kind, a period apart, until there is a verdict. */
  function looks({ rules, state, expected_build_sha }: LookOrder, build_sha: string, part: Partial<Sample> = {}) {
    let seen: WatchState = state;
    for (let n = 0; n < 1_000; n += 1) {
      seen = observe(seen, { ...wellSample, at_ms: (clock += 100), reported_build_sha: build_sha, ...part }, rules);
      if (judge(seen, rules, expected_build_sha).verdict !== 'unknown') return seen;
    }
    throw new Error('no verdict after 1,000 looks');
  }

  return {
    calls,
    answers,
    events,
    looks,
    saved: () => saved,
    startFirst: () => (cutOver = 'start_first'),
    change: (part: Partial<ServiceFacts>) => (facts = { ...facts, ...part }),
    activities: { ...operations, ...rows, ...box, ...overrides },
  };
}

export type RecordedBox = ReturnType<typeof recordedBox>;

export function good(release_id: string) {
  return { release_id, standing: 'good', schema_version: null, schema_reads_to: null } as const;
}

const wellSample: Omit<Sample, 'at_ms'> = {
  ...{ running: true, pid: 1, started_at: null, restart_count: 0, exit_code: null, exit_signal: null },
  ...{ oom_killed: false, healthy: true, reason: 'http_ok', answered: true, reported_build_sha: null },
};
