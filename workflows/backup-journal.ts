import { defineQuery, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import type { BackupRunInput } from '../domain/backup/run.ts';
import type { BackupResult } from '../domain/backup/schemas.ts';
import type { BackupKind, BackupOutcome, BackupPhase } from '../domain/backup/words.ts';
import { backupRows, lastBackupWord } from './backup-proxies.ts';
import { outcomeKey, phaseKey } from './search-attributes.ts';

const backupState = defineQuery<{ phase: BackupPhase; result: BackupResult }>('backup_state');

export type BackupJournal = ReturnType<typeof createBackupJournal>;

/** What a run of the backup pipeline tells about itself: to the operations database, to the audit, and to Temporal's UI. */
export function createBackupJournal(kind: BackupKind, { backup_id, actor, request }: BackupRunInput<object>) {
  let phase: BackupPhase = 'requested';
  let stamp: string | null = null;
  let result: BackupResult = {
    ...{ outcome: null, failure_reason: null, degraded: [], members: 0, plain_bytes: 0, stored_bytes: 0 },
    ...{ proved: [], timings_ms: {}, plan: null, trashed: [], purged: [] },
  };
  const lines: string[] = [];
  setHandler(backupState, () => ({ phase, result }));

  function show(): void {
    const how = `_Look:_ \`holdfast backup run ${backup_id} --follow\``;
    setCurrentDetails([`**${kind} ${stamp ?? ''}**: ${phase}`, '', ...lines.slice(-40), '', how].join('\n'));
  }

  async function write(
    evidence: Parameters<typeof backupRows.recordBackup>[0]['evidence'],
    event?: { readonly type: string; readonly data: object },
    rows: Pick<typeof backupRows, 'recordBackup'> = backupRows,
  ): Promise<void> {
    show();
    const once = `${backup_id}/${event?.type ?? ''}`;
    const subject = stamp === null ? 'backup' : `backup/${stamp}`;
    const events =
      event === undefined ? [] : [{ ...event, subject, actor, backup_id, once, data: { kind, ...event.data } }];
    await rows.recordBackup({ backup_id, phase, stamp, result, evidence, events });
  }

  return {
    get result(): BackupResult {
      return result;
    },
    phase: () => phase,

    about(point: string): void {
      stamp = point;
    },

    note(part: Partial<BackupResult>): void {
      result = { ...result, ...part };
    },

    took(step: string, ms: number): void {
      result = { ...result, timings_ms: { ...result.timings_ms, [step]: Math.round(ms) } };
    },

    /** Shown, searchable and stored before the step begins. */
    async enter(next: BackupPhase): Promise<void> {
      const first = phase === 'requested';
      phase = next;
      upsertSearchAttributes([{ key: phaseKey, value: phase }]);
      await write([], first ? { type: 'backup.started', data: { request } } : undefined);
    },

    async check(check: string, ok: boolean, reason: string, detail: object = {}): Promise<void> {
      lines.push(`- ${ok ? '✓' : '✗'} ${check}: ${reason}`);
      await write([{ check, phase, ok, reason, detail: { ...detail } }]);
    },

    conclude(outcome: BackupOutcome, failure_reason: string | null = null): void {
      result = { ...result, outcome, failure_reason };
    },

    async close(): Promise<void> {
      phase = 'closed';
      lines.push(`- outcome: **${result.outcome ?? 'none'}**`);
      upsertSearchAttributes([
        { key: phaseKey, value: phase },
        { key: outcomeKey, value: result.outcome ?? 'none' },
      ]);
      await write([], { type: 'backup.completed', data: result }, lastBackupWord);
    },
  };
}
