import { ApplicationFailure, executeChild, ParentClosePolicy, uuid4, workflowInfo } from '@temporalio/workflow';
import { pointLock, type BackupInput } from '../domain/backup/run.ts';
import type { BackupResult } from '../domain/backup/schemas.ts';
import { turnFor } from '../domain/lock.ts';
import { safetyPinReason } from '../domain/restore/run.ts';
import { locks, operations } from './proxies.ts';
import { besideOn, restoreRows } from './restore-proxies.ts';
import type { RestoreRun } from './restore-run.ts';

/**
 * The data for this run alone, and the services whose files are replaced. First the turn: whoever keeps coming waits behind it.
 * Waves that run are cancelled, because what they write would not be seen again; everything else is waited for.
 */
export async function holdData(run: RestoreRun): Promise<void> {
  const { lockedBy, journal, input } = run;
  await locks.takeLocks([{ resource: turnFor('data'), mode: 'exclusive' }], lockedBy);
  const cancelled = await restoreRows.interruptWaves(lockedBy);
  if (cancelled.length > 0) await journal.check('waves', true, `cancelled: ${cancelled.join(', ')}`);
  await takeData(run);
  const settled = await besideOn(input.box).settleWriters(run.ref);
  await journal.check('writers', settled.ok, settled.reason);
}

/** What this run holds already it has with the same token; what it has lost, with another one. */
export async function takeData(run: RestoreRun): Promise<void> {
  const services = new Set(run.sets.flatMap(({ service }) => (service === null ? [] : [service])));
  const resources = ['data', ...[...services].sort().map((name) => `service/${name}`)];
  const wishes = resources.map((resource) => ({ resource, mode: 'exclusive' as const }));
  const held = await locks.takeLocks(wishes, run.lockedBy);
  const data = held.find(({ resource }) => resource === 'data');
  if (data === undefined) throw ApplicationFailure.nonRetryable('No lock was given');
  run.ref = { ...run.ref, lock_token: data.token };
}

/**
 * Everybody goes on. The point stays in use until this run is over: its manifest says which folders were replaced, and without it
 * neither side of them could be put back or dropped.
 */
export async function letDataGo({ lockedBy, input }: RestoreRun): Promise<void> {
  await operations.releaseLocks(lockedBy, [pointLock(input.stamp)]);
}

/** What is live now, as a recovery point of its own that retention may not take away. */
export async function makeSafetyPoint(run: RestoreRun): Promise<void> {
  const { input, journal, ref } = run;
  await journal.enter('safety_point');
  const backup: BackupInput = {
    ...{ backup_id: uuid4(), box: input.box, actor: input.actor, trigger: 'restore' },
    request: { include_vectors: input.request.vectors, pin: safetyPinReason(input.restore_id) },
    within: { lock_token: ref.lock_token ?? '' },
  };
  // An id of its own: a backup that waits for the data would be in its way, and it in that one's.
  const made = await executeChild<(order: BackupInput) => Promise<BackupResult & { stamp?: string | null }>>('backup', {
    workflowId: `backup/safety-${workflowInfo().runId}`,
    args: [backup],
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  });
  const ok = made.outcome === 'published';
  const stamp = ok ? await restoreRows.stampOfBackup(backup.backup_id) : null;
  const why = `${made.failure_reason ?? String(made.outcome)}; without one: --no-pre-snapshot`;
  journal.note({ safety_stamp: stamp });
  await journal.check('safety_point', ok, ok ? (stamp ?? '') : why);
  if (!ok) throw ApplicationFailure.nonRetryable(`No safety point could be made: ${why}`, 'RestoreRefused');
}

/**
 * Retention decides on it again: what it was made for is over. Not where a person has to look first; and a live drill knows only
 * behind its restore whether all is well.
 */
export async function letSafetyPointGo({ input, journal: { result } }: RestoreRun): Promise<void> {
  if (result.safety_stamp === null || result.outcome === 'stuck' || input.trigger === 'drill') return;
  await restoreRows.unpinSafetyPoint(result.safety_stamp, input.restore_id);
}

/** The database, its collections and the contents of the folders, all of them where nobody looks. */
export async function restoreBeside(run: RestoreRun): Promise<void> {
  const { input, journal, ref } = run;
  const box = besideOn(input.box);
  const database = await box.restoreDatabase(ref);
  journal.took('restore_database', database.ms);
  const collections = await box.restoreCollections(ref, input.request.vectors);
  journal.took('restore_collections', collections.ms);
  journal.note({ degraded: [...journal.result.degraded, ...collections.rebuilt] });
  for (const { name } of run.sets) {
    const { files, bytes, ms } = await box.unpackFiles(ref, name);
    journal.took('unpack_files', (journal.result.timings_ms['unpack_files'] ?? 0) + ms);
    await journal.check(`files.${name}`, true, `${files} files, ${bytes} bytes`, { files, bytes });
  }
}
