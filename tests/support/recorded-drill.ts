import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { DrillRowActivities } from '../../activities/drill-rows.ts';
import type { DrillActivities, DrillLook } from '../../activities/drill.ts';
import type { OperationsActivities } from '../../activities/operations.ts';
import type { DrillEntry } from '../../adapters/postgres/drills.ts';
import { drillRequestSchema, type DrillResult } from '../../domain/drill/schemas.ts';
import type { z } from 'zod';
import { ownBox, runOnTemporal } from './on-temporal.ts';

type Activities = DrillActivities & DrillRowActivities & Pick<OperationsActivities, 'takeLocks' | 'releaseLocks'>;

export const stamp = '20261122T020000Z-0001';

export type RecordedDrill = ReturnType<typeof recordedDrill>;

export const look = (level: string, ok = true, reason = '9 checks'): DrillLook => ({
  level,
  ok,
  reason,
  detail: {},
  ms: 10,
});

/** Activities of a drill that keep a list of what was asked of them, and fail where a test says so. For the state machine alone. */
export function recordedDrill(overrides: Partial<Activities> = {}) {
  const calls: string[] = [];
  const records: DrillEntry[] = [];
  const said = <T>(call: string, value: T): T => {
    calls.push(call);
    return value;
  };
  const usual: Activities = {
    openDrill: async () => said('open', undefined),
    recordDrill: async (entry) => {
      records.push(entry);
      if (entry.phase === 'closed') calls.push(`closed:${String(entry.result.outcome)}`);
    },
    newestProvenAge: async () => 3_600,
    stampOfDrillBackup: async () => stamp,
    takeLocks: async (wishes, run) => {
      calls.push(...wishes.map(({ resource, mode }) => `lock:${resource}:${mode}`));
      return wishes.map((wish, i) => ({ ...wish, ...run, token: String(i + 1) }));
    },
    releaseLocks: async () => said('unlock', undefined),
    pickDrillPoint: async ({ from }) => said('pick', { stamp, target: from === 'offsite' ? 'nas' : null }),
    bringDrillPoint: async ({ damaged }) =>
      said('bring', { damage: damaged ? 'a bit' : null, damage_row: false, bytes: 10, ms: 100 }),
    drillBytes: async () => said('L0', look('L0')),
    drillStructure: async () => said('L1', look('L1')),
    rehearseDrill: async () => said('L2', { ...look('L2'), restore_ms: 1_000, compare_ms: 50 }),
    bootDrill: async () => said('L3', look('L3')),
    tidyDrill: async () => said('tidy', undefined),
    markLive: async () => said('mark', undefined),
    lookLive: async () => said('look', look('L3')),
    forgetMarker: async () => said('forget', undefined),
  };
  return { calls, records, usual, activities: { ...usual, ...overrides } };
}

/** Under an id of its own: the runs of all test files share one Temporal. */
export function runDrill(
  recorded: RecordedDrill,
  request: z.input<typeof drillRequestSchema> = {},
  meanwhile?: (handle: WorkflowHandle) => Promise<void>,
): Promise<DrillResult> {
  const drill_id = randomUUID();
  const input = {
    ...{ drill_id, box: ownBox, actor: 'tester', trigger: 'operator' },
    request: drillRequestSchema.parse(request),
  };
  return runOnTemporal(
    { type: 'drill', workflowId: `t-drill/${drill_id}`, input, activities: recorded.activities },
    meanwhile,
  );
}
