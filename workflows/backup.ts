import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import type { PointProof } from '../activities/backup.ts';
import type { Proved } from '../domain/backup/manifest.ts';
import { pinOwner, type BackupInput, type BackupReference } from '../domain/backup/run.ts';
import type { BackupResult } from '../domain/backup/schemas.ts';
import { provenLevels, type ProvenLevel } from '../domain/backup/words.ts';
import type { RunOfLock } from '../domain/lock.ts';
import { createBackupJournal, type BackupJournal } from './backup-journal.ts';
import { backupRows, copyingOn, keepingOn, provingOn } from './backup-proxies.ts';
import { failureReason } from './failure-reason.ts';
import { locks, operations } from './proxies.ts';

/**
 * Prepare, apply, prove, and then keep or put back: one recovery point. It is copied into a folder that nobody takes for a point,
 * proved there by restoring it, and only then given its name; whatever dies on the way, there is a proved point or none.
 */
export async function backup(input: BackupInput): Promise<BackupResult> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  const journal = createBackupJournal('create', input);
  try {
    await backupRows.openBackup('create', null, input, run);
    await journal.enter('lock');
    const lock_token = input.within?.lock_token ?? (await dataLock(run));
    await make(input, { backup_id: input.backup_id, lock_token }, journal);
  } catch (error) {
    await CancellationScope.nonCancellable(() => giveUp(input, run, journal, error));
  }
  await CancellationScope.nonCancellable(async () => {
    await letGo(input, run);
    if (journal.result.outcome === 'published') await backupRows.wakeTargets();
    await journal.close();
  });
  return journal.result;
}

/** What is only rows: a box that is gone holds nothing in place. */
async function letGo({ backup_id }: BackupInput, run: RunOfLock): Promise<void> {
  await backupRows.releasePins(pinOwner(backup_id));
  await operations.releaseLocks(run);
}

async function dataLock(run: RunOfLock): Promise<string> {
  const [lock] = await locks.takeLocks([{ resource: 'data', mode: 'shared' }], run);
  if (lock === undefined) throw ApplicationFailure.nonRetryable('No lock was given');
  return lock.token;
}

async function make({ box, request, actor }: BackupInput, ref: BackupReference, journal: BackupJournal): Promise<void> {
  await journal.enter('space');
  const room = await provingOn(box).checkRoom(request);
  await journal.check('space', room.ok, room.reason, room.detail);
  if (!room.ok) throw ApplicationFailure.nonRetryable(room.reason, 'NoRoom');

  await journal.enter('copy');
  const { stamp, ms, degraded, ...sizes } = await copyingOn(box).copyPoint(ref, request);
  journal.about(stamp);
  journal.note({ ...sizes, degraded: [...degraded] });
  journal.took('copy', ms);
  await journal.check('copy', true, `${sizes.members} members, ${sizes.stored_bytes} bytes`, { ...sizes, degraded });

  await journal.enter('prove');
  const proof: Partial<Record<ProvenLevel, Proved>> = {};
  for (const level of provenLevels) {
    const { ok, reason, detail, at, ms } = await provingOn(box).provePoint(ref, stamp, level);
    journal.took(level, ms);
    await journal.check(level, ok, reason, detail);
    if (!ok) throw ApplicationFailure.nonRetryable(reason, 'PointUnproved');
    proof[level] = { at, ms };
    journal.note({ proved: [...journal.result.proved, level] });
  }
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');

  // From here on a cancellation changes nothing: the rename is through, or it is not.
  const pin = request.pin === undefined ? null : { reason: request.pin, actor };
  await CancellationScope.nonCancellable(async () => {
    await journal.enter('publish');
    await keepingOn(box).publishPoint(ref, stamp, proof as PointProof, pin);
    journal.conclude('published');
  });
}

/** Nothing of it was ever a point, and nothing of it stays; but what was renamed is one, whatever was heard of it. */
async function giveUp(input: BackupInput, run: RunOfLock, journal: BackupJournal, error: unknown): Promise<void> {
  const reason = failureReason(error);
  const before = ['requested', 'lock', 'space'].includes(journal.phase());
  if (!before) {
    await journal.enter('discard');
    await letGo(input, run);
    if (await isPublishedAfterAll(input, journal)) {
      journal.conclude('published', reason);
      return;
    }
  }
  if (isCancellation(error)) {
    journal.conclude('cancelled', 'cancelled');
    return;
  }
  journal.conclude(before ? 'refused' : 'failed', reason);
}

/** A box that stays away is no reason to say nothing: what lies there is tidied by its next backup. */
async function isPublishedAfterAll({ box, backup_id }: BackupInput, journal: BackupJournal): Promise<boolean> {
  try {
    return (await keepingOn(box).discardPoint(backup_id)).published;
  } catch (error) {
    await journal.check('discard', false, failureReason(error));
    return false;
  }
}
