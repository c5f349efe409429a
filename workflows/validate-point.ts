import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import { pointLock, type BackupReference, type ValidateInput } from '../domain/backup/run.ts';
import type { BackupResult } from '../domain/backup/schemas.ts';
import { levelsUpTo } from '../domain/backup/words.ts';
import { createBackupJournal, type BackupJournal } from './backup-journal.ts';
import { backupRows, provingOn } from './backup-proxies.ts';
import { failureReason } from './failure-reason.ts';
import { locks, operations } from './proxies.ts';

/** Looks at a published point again, level by level; what it finds is what retention and restores go by from then on. */
export async function validatePoint(input: ValidateInput): Promise<BackupResult> {
  const { workflowId: workflow_id, runId: run_id } = workflowInfo();
  const run = { workflow_id, run_id };
  const journal = createBackupJournal('validate', input);
  journal.about(input.stamp);
  try {
    await backupRows.openBackup('validate', input.stamp, input, run);
    await journal.enter('lock');
    await locks.takeLocks([{ resource: pointLock(input.stamp), mode: 'shared' }], run);
    await journal.enter('prove');
    await prove(input, { backup_id: input.backup_id, lock_token: null }, journal);
  } catch (error) {
    // Not looked at is not the same as bad: nothing is said of the point.
    journal.conclude('failed', failureReason(error));
  }
  await CancellationScope.nonCancellable(async () => {
    await operations.releaseLocks(run);
    await journal.close();
  });
  return journal.result;
}

async function prove({ box, stamp, request }: ValidateInput, ref: BackupReference, journal: BackupJournal) {
  for (const level of levelsUpTo(request.level)) {
    const { ok, reason, detail, ms } = await provingOn(box).validatePoint(ref, stamp, level);
    journal.took(level, ms);
    await journal.check(level, ok, reason, detail);
    if (!ok) {
      journal.conclude('invalid', reason);
      return;
    }
    journal.note({ proved: [...journal.result.proved, level] });
  }
  journal.conclude('valid');
}
