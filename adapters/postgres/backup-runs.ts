import type { BackupEvidence, BackupRunInput } from '../../domain/backup/run.ts';
import { emptyBackupResult, type BackupProgress, type BackupResult } from '../../domain/backup/schemas.ts';
import type { BackupKind, BackupPhase, BackupTrigger } from '../../domain/backup/words.ts';
import type { RunOfLock } from '../../domain/lock.ts';
import type { Sql } from './connect.ts';
import { createEvidenceStore, type StoredCheck } from './evidence.ts';

export interface StoredBackupRun {
  readonly id: string;
  readonly kind: BackupKind;
  /** Of a point that is made: of the attempt that is under way, until it is published. */
  readonly stamp: string | null;
  readonly box: string;
  readonly actor: string;
  readonly trigger: BackupTrigger;
  readonly request: Readonly<Record<string, unknown>>;
  readonly phase: BackupPhase;
  readonly progress: BackupProgress | null;
  readonly result: BackupResult;
  readonly workflow_id: string;
  readonly run_id: string | null;
  readonly requested_at: Date;
  readonly closed_at: Date | null;
  readonly evidence: readonly StoredCheck<BackupPhase>[];
}

export interface BackupEntry {
  readonly backup_id: string;
  readonly phase: BackupPhase;
  /** null: as the row says. */
  readonly stamp: string | null;
  readonly result: BackupResult;
  readonly evidence: readonly BackupEvidence[];
}

export interface UntidyRun {
  readonly id: string;
  readonly kind: 'create' | 'validate';
  readonly stamp: string;
  readonly run: RunOfLock;
  readonly closed: boolean;
}

export type BackupRunStore = ReturnType<typeof createBackupRunStore>;

/** Runs of the backup pipeline and their evidence: rows of the operations database. Every write may be repeated. */
export function createBackupRunStore(sql: Sql) {
  const evidence = createEvidenceStore<BackupPhase>(sql);
  return {
    /** By whoever comes first: the API that started the run, or the run itself. A row that is there keeps what it has. */
    async open(
      kind: BackupKind,
      stamp: string | null,
      input: BackupRunInput<object>,
      run: { readonly workflow_id: string; readonly run_id: string | null },
    ): Promise<void> {
      const { backup_id, box, actor, trigger, request } = input;
      await sql`
        insert into backup_runs (id, kind, stamp, box, actor, trigger, request, result, workflow_id, run_id)
        values (${backup_id}, ${kind}, ${stamp}, ${box}, ${actor}, ${trigger}, ${sql.json(request as never)},
          ${sql.json(emptyBackupResult())}, ${run.workflow_id}, ${run.run_id})
        on conflict (id) do update set run_id = coalesce(excluded.run_id, backup_runs.run_id)`;
    },

    async record({ backup_id, phase, stamp, result, evidence: checks }: BackupEntry): Promise<void> {
      await sql`
        update backup_runs set phase = ${phase}, stamp = coalesce(${stamp}, stamp), result = ${sql.json(result)},
          progress = case when phase = ${phase} then progress end,
          closed_at = case when ${phase} = 'closed' then coalesce(closed_at, now()) end
        where id = ${backup_id}`;
      for (const check of checks) await evidence.add(backup_id, check);
    },

    /** Of an attempt that begins; written before anything lies under that name. */
    async setStamp(id: string, stamp: string): Promise<void> {
      await sql`update backup_runs set stamp = ${stamp} where id = ${id}`;
    },

    /** How far it is; nothing is decided by it. */
    async tell(id: string, progress: BackupProgress): Promise<void> {
      await sql`update backup_runs set progress = ${sql.json(progress)} where id = ${id} and closed_at is null`;
    },

    async find(id: string): Promise<StoredBackupRun | null> {
      const [row] = await sql<Row[]>`select ${columns(sql)} from backup_runs where id = ${id}`;
      return row === undefined ? null : { ...row, evidence: await evidence.list(id) };
    },

    /** Newest first, without evidence. `before`: the id of the last one of the page before. */
    async list(page: {
      kind?: BackupKind | undefined;
      stamp?: string | undefined;
      before?: string | undefined;
      limit: number;
    }): Promise<StoredBackupRun[]> {
      const rows = await sql<Row[]>`
        select ${columns(sql)} from backup_runs
        where true ${page.kind === undefined ? sql`` : sql`and kind = ${page.kind}`}
        ${page.stamp === undefined ? sql`` : sql`and stamp = ${page.stamp}`}
        ${
          page.before === undefined
            ? sql``
            : sql`and (requested_at, id) < (select requested_at, id from backup_runs where id = ${page.before})`
        }
        order by requested_at desc, id desc limit ${page.limit}`;
      return rows.map((row) => ({ ...row, evidence: [] }));
    },

    /**
     * Runs that may have left something under their stamp. `closed` false: whether it is over is known to Temporal alone. What an
     * attempt goes on to write that nobody heard of any more is found for another day.
     */
    async untidied(box: string): Promise<UntidyRun[]> {
      return sql<UntidyRun[]>`
        select id, kind, stamp, jsonb_build_object('workflow_id', workflow_id, 'run_id', run_id) as run,
          closed_at is not null as closed
        from backup_runs
        where kind in ('create', 'validate') and box = ${box} and stamp is not null
          and (closed_at is not null or run_id is not null)
          and coalesce(result ->> 'outcome', '') not in ('published', 'valid', 'invalid')
          and (tidied_at is null or tidied_at < coalesce(closed_at, requested_at) + interval '1 day')
        order by requested_at desc limit 200`;
    },

    async tidied(id: string): Promise<void> {
      await sql`update backup_runs set tidied_at = now() where id = ${id}`;
    },
  };
}

type Row = Omit<StoredBackupRun, 'evidence'>;

function columns(sql: Sql) {
  return sql`id, kind, stamp, box, actor, trigger, request, phase, progress, result, workflow_id, run_id,
    requested_at, closed_at`;
}
