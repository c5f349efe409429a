import type { BackupProgress } from '../../domain/backup/schemas.ts';
import { emptyRestoreResult } from '../../domain/restore/result.ts';
import type { RestoreEvidence, RestoreInput } from '../../domain/restore/run.ts';
import type { RestoreRequest, RestoreResult } from '../../domain/restore/schemas.ts';
import type { RestorePhase, RestoreTrigger } from '../../domain/restore/words.ts';
import type { SidesJournal } from '../restore/sides-journal.ts';
import type { Sql } from './connect.ts';
import { createEvidenceStore, type StoredCheck } from './evidence.ts';

export interface StoredRestore {
  readonly id: string;
  readonly stamp: string;
  readonly box: string;
  readonly actor: string;
  readonly trigger: RestoreTrigger;
  readonly request: RestoreRequest;
  readonly phase: RestorePhase;
  readonly progress: BackupProgress | null;
  readonly result: RestoreResult;
  readonly workflow_id: string;
  readonly run_id: string | null;
  readonly requested_at: Date;
  readonly closed_at: Date | null;
  readonly evidence: readonly StoredCheck<RestorePhase>[];
}

export interface RestoreEntry {
  readonly restore_id: string;
  readonly phase: RestorePhase;
  readonly result: RestoreResult;
  readonly evidence: readonly RestoreEvidence[];
}

/** What a restore that is over has left beside what is live. */
export interface LeftSide {
  readonly restore_id: string;
  readonly stamp: string;
  readonly side: 'old' | 'restored';
}

export type RestoreStore = ReturnType<typeof createRestoreStore>;

/** Restores, their evidence, and where both sides are: rows of the operations database, which no restore swaps. */
export function createRestoreStore(sql: Sql) {
  const evidence = createEvidenceStore<RestorePhase>(sql);
  return {
    /** By whoever comes first: the API that started the run, or the run itself. */
    async open(input: RestoreInput, run: { workflow_id: string; run_id: string | null }): Promise<void> {
      const { restore_id, stamp, box, actor, trigger, request } = input;
      await sql`
        insert into restores (id, stamp, box, actor, trigger, request, result, workflow_id, run_id)
        values (${restore_id}, ${stamp}, ${box}, ${actor}, ${trigger}, ${sql.json(request)},
          ${sql.json(emptyRestoreResult())}, ${run.workflow_id}, ${run.run_id})
        on conflict (id) do update set run_id = coalesce(excluded.run_id, restores.run_id)`;
    },

    async record({ restore_id, phase, result, evidence: checks }: RestoreEntry): Promise<void> {
      await sql`
        update restores set phase = ${phase}, result = ${sql.json(result)}, held_until = ${result.held_until},
          progress = case when phase = ${phase} then progress end,
          closed_at = case when ${phase} = 'closed' then coalesce(closed_at, now()) end
        where id = ${restore_id}`;
      for (const check of checks) await evidence.add(restore_id, check);
    },

    /** How far it is; nothing is decided by it. */
    async tell(id: string, progress: BackupProgress): Promise<void> {
      await sql`update restores set progress = ${sql.json(progress)} where id = ${id} and closed_at is null`;
    },

    async find(id: string): Promise<StoredRestore | null> {
      const [row] = await sql<Omit<StoredRestore, 'evidence'>[]>`select ${columns(sql)} from restores where id = ${id}`;
      return row === undefined ? null : { ...row, evidence: await evidence.list(id) };
    },

    /** Newest first, without evidence. `before`: the id of the last one of the page before. */
    async list({ before, limit }: { before?: string | undefined; limit: number }): Promise<StoredRestore[]> {
      const rows = await sql<Omit<StoredRestore, 'evidence'>[]>`
        select ${columns(sql)} from restores
        ${before === undefined ? sql`` : sql`where (requested_at, id) < (select requested_at, id from restores where id = ${before})`}
        order by requested_at desc, id desc limit ${limit}`;
      return rows.map((row) => ({ ...row, evidence: [] }));
    },

    /** Where both sides are; null before anything was restored, and when one of them is gone. */
    async journal(id: string): Promise<SidesJournal | null> {
      const [row] = await sql<{ journal: SidesJournal | null }[]>`select journal from restores where id = ${id}`;
      return row?.journal ?? null;
    },

    /** null: the side that is not live was dropped. */
    async setJournal(id: string, journal: SidesJournal | null): Promise<void> {
      await sql`update restores set journal = ${journal === null ? null : sql.json(journal as never)} where id = ${id}`;
    },

    /** Of restores of a box that are over: sides that could not be dropped. One that is stuck keeps both. */
    async left(box: string): Promise<LeftSide[]> {
      return sql<LeftSide[]>`
        select id as restore_id, stamp, case when result ->> 'outcome' = 'released' then 'old' else 'restored' end as side
        from restores r where box = ${box} and closed_at is not null and journal is not null
          and exists (select 1 from evidence e
            where e.record_id = r.id and e."check" in ('drop_old', 'drop_restored') and not e.ok)
        order by requested_at`;
    },
  };
}

function columns(sql: Sql) {
  return sql`id, stamp, box, actor, trigger, request, phase, progress, result, workflow_id, run_id, requested_at, closed_at`;
}
