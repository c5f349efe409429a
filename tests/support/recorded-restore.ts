import type { WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import type { OperationsActivities } from '../../activities/operations.ts';
import type { RestoreRowActivities } from '../../activities/restore-rows.ts';
import type { RestoreActivities } from '../../activities/restore.ts';
import type { RestoreEntry } from '../../adapters/postgres/restores.ts';
import { restoreCommandUpdate, type RestoreCommandMessage, type RestoreInput } from '../../domain/restore/run.ts';
import { restoreRequestSchema, type RestoreResult } from '../../domain/restore/schemas.ts';
import type { RestoreCommand, RestorePhase } from '../../domain/restore/words.ts';
import { ownBox, runOnTemporal } from './on-temporal.ts';
import { recordedBackup } from './recorded-backup.ts';

type Locks = Pick<OperationsActivities, 'takeLocks' | 'releaseLocks'>;
type Own = RestoreActivities & RestoreRowActivities & Locks;

export type RecordedRestore = ReturnType<typeof recordedRestore>;
export type Side = 'old' | 'restored';

const good = async () => ({ ok: true, reason: 'as it should be', detail: {} });
const file = '20261122T020000Z-0001';

/**
 * Activities of a restore that keep a list of what was asked of them, and which side everything is on: the database, the files,
 * and what is still there. They fail where a test says so. For the state machine alone.
 */
export function recordedRestore(overrides: Partial<Own & ReturnType<typeof recordedBackup>['usual']> = {}) {
  const calls: string[] = [];
  const records: RestoreEntry[] = [];
  const world = { database: 'old' as Side, files: 'old' as Side, there: new Set<Side>(['old']), data: false };
  const noted =
    <T>(name: string, answer: T) =>
    async (): Promise<T> => {
      calls.push(name);
      return answer;
    };

  const usual: Own = {
    openRestore: noted('open', undefined),
    recordRestore: async (entry) => {
      records.push(entry);
      if (entry.phase === 'closed') calls.push(`closed:${String(entry.result.outcome)}`);
    },
    interruptWaves: async () => [],
    unpinSafetyPoint: async (stamp) => {
      calls.push(`unpin:${stamp}`);
    },
    stampOfBackup: async () => '20261122T030000Z-00ff',
    wakeAfterRestore: noted('wake', undefined),
    takeLocks: async (wishes, run) => {
      calls.push(...wishes.map(({ resource, mode }) => `lock:${resource}:${mode}`));
      world.data ||= wishes.some(({ resource }) => resource === 'data');
      return wishes.map((wish, i) => ({ ...wish, ...run, token: String(i + 1) }));
    },
    releaseLocks: async (_run, but) => {
      calls.push(['unlock', ...(but ?? []).map((resource) => `but:${resource}`)].join(':'));
      world.data = false;
    },
    preflight: async () => ({
      checks: [{ check: 'point', ok: true, reason: 'proved', detail: {} }],
      sets: [{ name: 'web', service: 'web' }],
      degraded: [],
    }),
    settleWriters: good,
    restoreDatabase: async () => {
      calls.push('database');
      world.there.add('restored');
      return { ms: 3 };
    },
    restoreCollections: noted('collections', { ms: 2, rebuilt: [] }),
    unpackFiles: noted('files', { ms: 1, files: 4, bytes: 40 }),
    compare: good,
    makeReady: noted('ready', {}),
    servicesStopped: good,
    replaceFiles: async () => {
      calls.push('replace');
      world.files = 'restored';
    },
    swapDatabase: async () => {
      calls.push('swap');
      world.database = 'restored';
      return { ms: 7 };
    },
    takeOver: noted('take_over', {}),
    health: good,
    swapBack: async () => {
      calls.push('swap_back');
      world.database = 'old';
    },
    undoFiles: async () => {
      calls.push('undo_files');
      world.files = 'old';
    },
    dropRestored: async () => {
      calls.push('drop:restored');
      world.there.delete('restored');
    },
    dropOld: async () => {
      calls.push('drop:old');
      world.there.delete('old');
    },
  };
  const { activities: backup } = recordedBackup({
    openBackup: noted('safety', undefined),
    ...{ takeLocks: usual.takeLocks, releaseLocks: noted('safety_over', undefined) },
  });
  return { calls, records, world, usual, activities: { ...backup, ...usual, ...backupOnly(backup), ...overrides } };
}

/** The safety point is a backup, whose own steps are told apart by nobody here. */
function backupOnly(backup: ReturnType<typeof recordedBackup>['usual']) {
  return { openBackup: backup.openBackup.bind(backup), recordBackup: backup.recordBackup.bind(backup) };
}

type Say = (command: RestoreCommand, restore_id?: string) => Promise<boolean>;

/** Runs one restore on a real Temporal, under an id of its own: the runs of all test files share one. */
export async function runRestore(
  { activities }: RecordedRestore,
  request: Parameters<typeof restoreRequestSchema.parse>[0] = {},
  meanwhile: (say: Say, handle: WorkflowHandle) => Promise<void> = async () => undefined,
): Promise<RestoreResult> {
  const restore_id = randomUUID();
  const input: RestoreInput = {
    ...{ restore_id, stamp: file, box: ownBox, actor: 'tester', trigger: 'operator' },
    request: restoreRequestSchema.parse(request),
  };
  return runOnTemporal({ type: 'restore', workflowId: `t-restore/${restore_id}`, input, activities }, (handle) =>
    meanwhile(
      (command, meant = restore_id) =>
        handle.executeUpdate<boolean, [RestoreCommandMessage]>(restoreCommandUpdate, {
          args: [{ restore_id: meant, command, actor: 'tester' }],
        }),
      handle,
    ),
  );
}

export async function inPhase({ records }: RecordedRestore, phase: RestorePhase, times = 1): Promise<void> {
  const entered = () => records.filter((entry, at) => entry.phase === phase && records[at - 1]?.phase !== phase).length;
  for (const end = Date.now() + 30_000; entered() < times;) {
    if (Date.now() > end) throw new Error(`It never came to ${phase}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
