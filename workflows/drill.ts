import {
  ApplicationFailure,
  ActivityFailure,
  CancellationScope,
  executeChild,
  ParentClosePolicy,
  sleep,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { DrillLook } from '../activities/drill.ts';
import { backupWorkflowId, pointLock, type BackupInput } from '../domain/backup/run.ts';
import type { BackupResult } from '../domain/backup/schemas.ts';
import { markerOf, usualDrill, type DrillInput, type DrillPoint, type DrillReference } from '../domain/drill/run.ts';
import type { DrillRequest, DrillResult } from '../domain/drill/schemas.ts';
import { drilledLevels, judgeDrill, type LevelFound } from '../domain/drill/verdict.ts';
import { restoreWorkflowId, type RestoreInput } from '../domain/restore/run.ts';
import type { RestoreResult } from '../domain/restore/schemas.ts';
import { createDrillJournal, type DrillJournal } from './drill-journal.ts';
import { drillingOn, drillRows, tidyingOn } from './drill-proxies.ts';
import { failureReason } from './failure-reason.ts';
import { locks, operations } from './proxies.ts';
import { restoreRows } from './restore-proxies.ts';
import { kindKey, phaseKey, subjectKey } from './search-attributes.ts';

interface RunOfDrill {
  readonly workflow_id: string;
  readonly run_id: string;
}

/**
 * A rehearsed restore (row B9): picked, restored, looked at by every check there is, timed. Nothing that it makes stays, whatever
 * ends it; what it found is recorded, and a drill that could not be done is one that failed.
 */
export async function drill(given: DrillInput): Promise<DrillResult> {
  // A schedule's row says only what is not usual.
  const input = { ...given, request: { ...usualDrill, ...given.request } };
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  const journal = createDrillJournal(input);
  const inScratch = input.request.level === 'scratch';
  try {
    await drillRows.openDrill(input, run);
    await journal.enter('pick');
    journal.note({ rpo_seconds: await drillRows.newestProvenAge() });
    await (inScratch ? rehearseInScratch(input, run, journal) : restoreLive(input, journal));
  } catch (error) {
    journal.conclude(isRefusal(error) ? 'refused' : 'failed', failureReason(error));
  }
  await CancellationScope.nonCancellable(async () => {
    if (inScratch && journal.result.stamp !== null) {
      await journal.enter('tidy');
      await tidyingOn(input.box).tidyDrill(input.drill_id);
    }
    await operations.releaseLocks(run);
    await journal.close();
  });
  return journal.result;
}

async function rehearseInScratch(
  { drill_id, box, request }: DrillInput,
  run: RunOfDrill,
  journal: DrillJournal,
): Promise<void> {
  const { damaged } = request;
  const on = drillingOn(box);
  const { stamp, target } = await pickAndHold(request, run, on);
  const ref: DrillReference = { drill_id, stamp, target, damaged };
  journal.note({ stamp, target });

  await journal.enter('fetch');
  const { damage, damage_row, bytes, ms } = await on.bringDrillPoint(ref);
  journal.took('fetch', ms);
  await journal.check('fetch', true, `${stamp} from ${target ?? 'this box'}`, { bytes });
  if (damage !== null) await journal.check('damage', true, damage);

  const found: LevelFound[] = [];
  const looks: readonly (() => Promise<DrillLook>)[] = [
    () => timed(journal, 'bytes', on.drillBytes(ref)),
    () => timed(journal, 'structure', on.drillStructure(ref)),
    async () => {
      await journal.enter('restore');
      const seen = await on.rehearseDrill(ref, damage_row);
      journal.took('restore', seen.restore_ms);
      journal.took('compare', seen.compare_ms);
      return seen;
    },
    () => timed(journal, 'boot', on.bootDrill(ref)),
  ];
  for (const look of looks) {
    const seen = await look();
    found.push(seen);
    await journal.check(seen.level, seen.ok, seen.reason, seen.detail);
    // What is known to be wrong is not restored.
    if (!seen.ok) break;
  }
  const { outcome, failure_reason } = judgeDrill(damaged, found, drilledLevels);
  journal.conclude(outcome, failure_reason);
}

/** A prune may be quicker than the lock: what is picked is what is still picked while it is held. */
async function pickAndHold(
  request: DrillRequest,
  run: RunOfDrill,
  on: ReturnType<typeof drillingOn>,
): Promise<DrillPoint> {
  for (let picked = await on.pickDrillPoint(request); ;) {
    await locks.takeLocks([{ resource: pointLock(picked.stamp), mode: 'shared' }], run);
    const again = await on.pickDrillPoint(request);
    if (again.stamp === picked.stamp) return again;
    picked = again;
  }
}

async function timed(
  journal: DrillJournal,
  phase: 'bytes' | 'structure' | 'boot',
  work: Promise<DrillLook>,
): Promise<DrillLook> {
  await journal.enter(phase);
  const seen = await work;
  journal.took(phase, seen.ms);
  return seen;
}

/** Backup, marker, restore: what was written in between has to be gone, and with it nothing else. */
async function restoreLive(input: DrillInput, journal: DrillJournal): Promise<void> {
  const { drill_id, box, actor, request } = input;
  if (!request.confirm_live) {
    journal.conclude('refused', 'a live drill is due: holdfast drill run --level live --confirm live');
    return;
  }
  const on = drillingOn(box);

  await journal.enter('backup');
  const backup: BackupInput = {
    ...{ backup_id: uuid4(), box, actor, trigger: 'drill' },
    request: { include_vectors: true },
  };
  const made = await child<BackupResult>('backup', backupWorkflowId, backup.backup_id, backup, actor);
  const stamp = made.outcome === 'published' ? await drillRows.stampOfDrillBackup(backup.backup_id) : null;
  await journal.check('backup', stamp !== null, stamp ?? made.failure_reason ?? 'it was not published');
  if (stamp === null) {
    journal.conclude('failed', `backup: ${made.failure_reason ?? String(made.outcome)}`);
    return;
  }
  journal.note({ stamp });

  const marker = markerOf(drill_id);
  let gone = false;
  try {
    await journal.enter('mark');
    await on.markLive(drill_id);
    journal.note({ marker });
    await journal.check('marker.written', true, `memory ${marker} is there and is found`);
    gone = await restoreAndLook(input, stamp, marker, journal);
  } finally {
    // Nobody's memory: it goes, whichever side is live and whatever ended this.
    if (!gone) await CancellationScope.nonCancellable(() => tidyingOn(box).forgetMarker(marker));
  }
}

/** True: the marker is gone, as it should be. */
async function restoreAndLook(
  { drill_id, box, actor }: DrillInput,
  stamp: string,
  marker: string,
  journal: DrillJournal,
): Promise<boolean> {
  await journal.enter('restore');
  const restore: RestoreInput = {
    ...{ restore_id: uuid4(), stamp, box, actor, trigger: 'drill' },
    // No files: services go on. Nothing is held: what the marker says is said at once.
    request: { confirm_service_stopped: false, pre_snapshot: true, vectors: true, files: [], hold_ms: 0 },
  };
  const restored = await child<RestoreResult>('restore', restoreWorkflowId, restore.restore_id, restore, actor);
  for (const [step, ms] of Object.entries(restored.timings_ms)) journal.took(step, ms);
  const ok = restored.outcome === 'released';
  await journal.check('restore', ok, restored.failure_reason ?? String(restored.outcome), {
    safety_stamp: restored.safety_stamp,
  });

  await journal.enter('look');
  const seen = ok ? await drillingOn(box).lookLive(drill_id, marker) : null;
  if (seen === null) {
    journal.conclude('failed', `restore: ${restored.failure_reason ?? String(restored.outcome)}`);
    return false;
  }
  await journal.check('marker.gone', seen.ok, seen.reason, seen.detail);
  journal.conclude(seen.ok ? 'passed' : 'failed', seen.ok ? null : `L3: ${seen.reason}`);
  if (seen.ok && restored.safety_stamp !== null)
    await restoreRows.unpinSafetyPoint(restored.safety_stamp, restore.restore_id);
  return seen.ok;
}

/** How often a run that is in the way is looked for again, half a minute apart: a backup is over within the hour, mostly. */
const looks = 120;

/** A run like any other: nobody ends it by ending the drill. */
async function child<Result>(
  type: 'backup' | 'restore',
  workflowId: string,
  recordId: string,
  input: object,
  actor: string,
): Promise<Result> {
  for (let look = 1; ; look += 1) {
    try {
      return await executeChild<() => Promise<Result>>(type, {
        workflowId,
        args: [input] as never,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        memo: { record_id: recordId, actor },
        typedSearchAttributes: [
          { key: kindKey, value: type },
          { key: subjectKey, value: type },
          { key: phaseKey, value: 'requested' },
        ],
      });
    } catch (error) {
      // A restore that is held keeps its old side for days: it is not waited for.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || type === 'restore' || look === looks) throw error;
      await sleep('30 seconds');
    }
  }
}

/** Nothing could be tried: there is nothing to restore, or nothing to open it with. */
function isRefusal(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && ['PointUnknown', 'KeyMissing'].includes(cause.type ?? '');
}
