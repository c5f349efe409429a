import { randomUUID } from 'node:crypto';
import type { OperationsActivities } from '../../activities/operations.ts';
import type { WaveActivities } from '../../activities/wave.ts';
import type { WaveRowActivities } from '../../activities/wave-rows.ts';
import type { WaveEntry } from '../../adapters/postgres/waves.ts';
import type { GenerationState } from '../../domain/generation/generation.ts';
import { emptyWaveResult } from '../../domain/wave/result.ts';
import type { WaveCommandMessage, WaveInput } from '../../domain/wave/run.ts';
import { waveCommandUpdate, waveWorkflowId } from '../../domain/wave/run.ts';
import { waveRequestSchema, type WaveResult } from '../../domain/wave/schemas.ts';
import type { WaveCommand } from '../../domain/wave/words.ts';
import { ownBox, runOnTemporal } from './on-temporal.ts';
import type { WorkflowHandle } from '@temporalio/client';

type Locks = Pick<OperationsActivities, 'takeLocks' | 'releaseLocks'>;
type Activities = WaveActivities & WaveRowActivities & Locks;

export type RecordedWave = ReturnType<typeof recordedWave>;

/** Activities of a wave that keep a list of what was asked of them, and fail where a test says so. For the state machine alone. */
export function recordedWave({ batches = 3, ...overrides }: Partial<Activities> & { readonly batches?: number } = {}) {
  const calls: string[] = [];
  const records: WaveEntry[] = [];
  const open = new Set(Array.from({ length: batches }, (_, batch) => batch));
  const failed = new Map<number, string>();
  let written = 0;
  let generation: { readonly number: number; readonly state: GenerationState } | null = null;

  const rows: WaveRowActivities = {
    openWave: async ({ wave_id }) => {
      calls.push('openWave');
      const last = records.findLast((entry) => entry.wave_id === wave_id);
      return {
        ...{ result: last?.result ?? emptyWaveResult(), plan: last?.plan ?? null, incarnation: 'here', held: false },
        ...{ approval_required: false, box: '', sources: ['docs'] },
      };
    },
    recordWave: async (entry) => {
      records.push(entry);
      if (entry.phase === 'closed') calls.push(`closed:${String(entry.result.outcome)}`);
    },
    openBatches: async (_, limit) => [...open].sort((a, b) => a - b).slice(0, limit),
    tally: async () => ({
      ...{ documents: written, chunks: written, embedded: written, quarantined: 0 },
      ...{ failed: failed.size, undecided: failed.size, why: [...failed.values()][0] ?? null },
    }),
    failBatch: async (_, batch, reason) => {
      calls.push(`failBatch:${batch}`);
      open.delete(batch);
      failed.set(batch, reason);
    },
    reopenFailed: async () => {
      calls.push('reopenFailed');
      for (const batch of failed.keys()) open.add(batch);
      failed.clear();
    },
    commitGeneration: async (_, number) => {
      calls.push('commit');
      generation = { number, state: 'committed' };
      return { ok: true, reason: 'visible' };
    },
    discardGeneration: async () => {
      calls.push('discard');
      if (generation !== null && generation.state !== 'committed') generation = { ...generation, state: 'discarded' };
      return generation ?? { number: null, state: null };
    },
    startCollecting: async () => void calls.push('startCollecting'),
    startRefresh: async () => void calls.push('startRefresh'),
  };
  const onBox: WaveActivities = {
    listSource: async () => ({ ...listing, reason: `${listing.items} items` }),
    planWave: async () => ({ plan, parent: 0, collection: 'c', identity: 'i' }),
    stage: async () => ({ staged: 3, bytes: 3, copied: 3, changed: 0, missing: 0 }),
    beginGeneration: async ({ incarnation }) => {
      calls.push('begin');
      generation = { number: 7, state: 'writing' };
      return { number: 7, incarnation };
    },
    retire: async () => ({ moved: 0, removed: 0 }),
    writeBatch: async (_, __, batch) => {
      open.delete(batch);
      written += 1;
    },
    prove: async () => ({ ok: true, reason: 'the same on both sides', detail: {} }),
    canary: async () => ({ ok: true, reason: 'no questions', detail: {} }),
  };
  const locks: Locks = {
    takeLocks: async (wishes, run) => wishes.map((wish, i) => ({ ...wish, ...run, token: String(i + 1) })),
    releaseLocks: async () => void calls.push('releaseLocks'),
  };
  const all = { ...rows, ...onBox, ...locks, ...overrides };
  const activities: Activities = {
    ...all,
    openWave: async (...args) => ({ ...(await all.openWave(...args)), box: ownBox }),
  };
  return {
    ...{ calls, records, activities },
    written: () => written,
    generation: () => generation,
    /** What `activity` does when no test says otherwise. */
    usual: { ...rows, ...onBox },
  };
}

const listing = { revision: null, items: 3, bytes: 3, skipped: {} } as unknown as Awaited<
  ReturnType<WaveActivities['listSource']>
>;

const plan = {
  ...{ added: 3, changed: 0, moved: 0, removed: 0, unchanged: 0, quarantined: 0, bytes: 3 },
  ...{ chunks_estimate: 3, embed_seconds_estimate: null, examples: [] },
};

/** Says something to the run that `handle` is of. */
export type Say = (command: WaveCommand, wave_id?: string) => Promise<boolean>;

/** Runs one wave on a real Temporal. */
export async function runWave(
  recorded: RecordedWave,
  request: Parameters<typeof waveRequestSchema.parse>[0] = {},
  meanwhile: (say: Say, handle: WorkflowHandle) => Promise<void> = async () => undefined,
): Promise<WaveResult> {
  const wave_id = randomUUID();
  const input: WaveInput = {
    ...{ wave_id, project: `p-${wave_id.slice(0, 8)}`, actor: 'tester', trigger: 'operator' },
    request: waveRequestSchema.parse(request),
  };
  const { activities } = recorded;
  const workflowId = waveWorkflowId(input.project);
  return runOnTemporal({ type: 'wave', workflowId, input, activities }, (handle) =>
    meanwhile(
      (command, meant = wave_id) =>
        handle.executeUpdate<boolean, [WaveCommandMessage]>(waveCommandUpdate, {
          args: [{ wave_id: meant, command, actor: 'tester' }],
        }),
      handle,
    ),
  );
}
