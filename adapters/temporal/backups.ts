import type { Client } from '@temporalio/client';
import {
  backupWorkflowId,
  pruneWorkflowId,
  validateWorkflowId,
  type BackupInput,
  type PruneInput,
  type ValidateInput,
} from '../../domain/backup/run.ts';
import { startAlone, type RunReference } from './start-alone.ts';

export type BackupStarts = ReturnType<typeof createBackupStarts>;

/** Starts runs of the backup pipeline, one at a time of a subject. Each throws RunInTheWay. */
export function createBackupStarts(client: Client) {
  return {
    backup(input: BackupInput): Promise<RunReference> {
      return startAlone(client, {
        ...{ workflow: 'backup', workflowId: backupWorkflowId, input, actor: input.actor, record_id: input.backup_id },
        ...{ kind: 'backup', subject: 'backup' },
        summary: `Backup, asked for by ${input.actor}`,
      });
    },

    validate(input: ValidateInput): Promise<RunReference> {
      const { stamp, actor, backup_id, request } = input;
      return startAlone(client, {
        ...{ workflow: 'validatePoint', workflowId: validateWorkflowId(stamp), input, actor, record_id: backup_id },
        ...{ kind: 'validate', subject: `backup/${stamp}` },
        summary: `Validation of ${stamp} up to ${request.level}, asked for by ${actor}`,
      });
    },

    prune(input: PruneInput): Promise<RunReference> {
      return startAlone(client, {
        ...{ workflow: 'prune', workflowId: pruneWorkflowId, input, actor: input.actor, record_id: input.backup_id },
        ...{ kind: 'prune', subject: 'backup' },
        summary: `Retention${input.request.dry_run ? ', dry run' : ''}, asked for by ${input.actor}`,
      });
    },
  };
}
