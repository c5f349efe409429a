import { randomUUID } from 'node:crypto';
import type { BackupRowActivities } from '../../activities/backup-rows.ts';
import type { BackupActivities } from '../../activities/backup.ts';
import type { OperationsActivities } from '../../activities/operations.ts';
import type { PruneActivities } from '../../activities/prune.ts';
import type { ScheduleActivities } from '../../activities/schedules.ts';
import type { BackupEntry } from '../../adapters/postgres/backup-runs.ts';
import type { BackupInput, PruneInput, ValidateInput } from '../../domain/backup/run.ts';
import type { BackupResult } from '../../domain/backup/schemas.ts';
import { ownBox, runOnTemporal } from './on-temporal.ts';
import type { WorkflowHandle } from '@temporalio/client';

type Locks = Pick<OperationsActivities, 'takeLocks' | 'releaseLocks'>;
type Activities = BackupActivities & BackupRowActivities & PruneActivities & ScheduleActivities & Locks;

export type RecordedBackup = ReturnType<typeof recordedBackup>;

export const firstStamp = '20261122T020000Z-0001';

/** Activities of the backup pipeline that keep a list of what was asked of them, and fail where a test says so. For the state machines alone. */
export function recordedBackup(overrides: Partial<Activities> = {}) {
  const calls: string[] = [];
  const records: BackupEntry[] = [];
  let copies = 0;
  let published: string | null = null;
  let copied: string | null = null;

  const level = async () => ({ ok: true, reason: '9 checks', detail: {}, at: '2026-11-22T02:00:01.000Z', ms: 1 });
  const usual: Activities = {
    openBackup: async (kind) => void calls.push(`open:${kind}`),
    recordBackup: async (entry) => {
      records.push(entry);
      if (entry.phase === 'closed') calls.push(`closed:${String(entry.result.outcome)}`);
    },
    releasePins: async (owner) => void calls.push(`unpin:${owner.split('/')[0] ?? ''}`),
    wakeTargets: async () => void calls.push('told'),
    takeLocks: async (wishes, run) => {
      calls.push(...wishes.map(({ resource, mode }) => `lock:${resource}:${mode}`));
      return wishes.map((wish, i) => ({ ...wish, ...run, token: String(i + 1) }));
    },
    releaseLocks: async () => void calls.push('unlock'),
    checkRoom: async () => ({
      ...{ ok: true, reason: 'enough' },
      detail: { free: 1, postgres_free: null, databases: 1, files: 0, vectors: null, last_point: null },
    }),
    copyPoint: async () => {
      copies += 1;
      calls.push('copy');
      copied = `20261122T020000Z-000${copies}`;
      return { stamp: copied, members: 3, plain_bytes: 30, stored_bytes: 10, degraded: [], ms: 5 };
    },
    provePoint: async (_ref, stamp, which) => {
      calls.push(`prove:${which}:${stamp}`);
      return level();
    },
    publishPoint: async (_ref, stamp) => {
      calls.push('publish');
      published = stamp;
    },
    discardPoint: async () => {
      calls.push('discard');
      return { published: published !== null && published === copied };
    },
    validatePoint: async (_ref, stamp, which) => {
      calls.push(`validate:${which}:${stamp}`);
      return level();
    },
    planPrune: async () => ({ keep: [], drop: [], blocked: null, targets: [] }),
    trashPoint: async (stamp) => {
      calls.push(`trash:${stamp}`);
      return { ok: true, reason: 'in the trash' };
    },
    purgeable: async () => [],
    purgePoint: async (stamp) => void calls.push(`purge:${stamp}`),
    scheduledOrder: async (name) => ({ name, action: 'backup', box: ownBox, request: { include_vectors: true } }),
  };
  return {
    calls,
    records,
    copies: () => copies,
    published: () => published,
    usual,
    activities: { ...usual, ...overrides },
  };
}

type Meanwhile = (handle: WorkflowHandle) => Promise<void>;

/** Who asks, in every test. */
const asked = { box: ownBox, actor: 'tester', trigger: 'operator' } as const;

/** Under an id of its own: the runs of all test files share one Temporal. */
export async function runPipeline(
  type: 'backup' | 'prune' | 'validatePoint' | 'scheduled',
  recorded: RecordedBackup,
  input: Partial<BackupInput> | Partial<PruneInput> | Partial<ValidateInput> | { readonly name: string },
  meanwhile?: Meanwhile,
): Promise<BackupResult> {
  const backup_id = randomUUID();
  const { activities } = recorded;
  const whole = 'name' in input ? input : { backup_id, ...asked, ...input };
  return runOnTemporal({ type, workflowId: `t-${type}/${backup_id}`, input: whole, activities }, meanwhile);
}
