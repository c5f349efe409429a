import type { WaveEvidence, WaveInput } from '../../domain/wave/run.ts';
import type { WavePlan, WaveRequest, WaveResult } from '../../domain/wave/schemas.ts';
import { emptyWaveResult } from '../../domain/wave/result.ts';
import type { WaveKind, WavePhase, WaveTrigger } from '../../domain/wave/words.ts';
import type { Sql } from './connect.ts';
import { createEvidenceStore, type StoredCheck } from './evidence.ts';

export interface StoredWave {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  readonly kind: WaveKind;
  readonly actor: string;
  readonly trigger: WaveTrigger;
  readonly request: WaveRequest;
  readonly phase: WavePhase;
  readonly paused: boolean;
  readonly plan: WavePlan | null;
  readonly result: WaveResult;
  readonly approved_by: string | null;
  readonly workflow_id: string;
  readonly run_id: string | null;
  readonly requested_at: Date;
  readonly closed_at: Date | null;
  readonly evidence: readonly StoredCheck<WavePhase>[];
}

export interface WaveEntry {
  readonly wave_id: string;
  readonly phase: WavePhase;
  readonly paused: boolean;
  readonly plan: WavePlan | null;
  /** null: nobody yet, or nobody that this run knows of. */
  readonly approved_by: string | null;
  readonly result: WaveResult;
  readonly evidence: readonly WaveEvidence[];
}

export type WaveStore = ReturnType<typeof createWaveStore>;

/** Waves and their evidence: rows of the operations database. Every write may be repeated by a retried activity. */
export function createWaveStore(sql: Sql) {
  const evidence = createEvidenceStore<WavePhase>(sql);
  return {
    /** By whoever comes first: the API that started the run, or the run itself. A row that is there keeps what it has. */
    async open(input: WaveInput, run: { workflow_id: string; run_id: string | null }): Promise<void> {
      const { wave_id, project, actor, trigger, request } = input;
      await sql`
        insert into waves (id, project, name, kind, actor, trigger, request, result, workflow_id, run_id)
        values (${wave_id}, ${project}, ${request.name}, ${request.kind}, ${actor}, ${trigger}, ${sql.json(request)},
          ${sql.json(emptyWaveResult())}, ${run.workflow_id}, ${run.run_id})
        on conflict (id) do update set run_id = coalesce(excluded.run_id, waves.run_id)`;
    },

    async record({ wave_id, phase, paused, plan, approved_by, result, evidence: checks }: WaveEntry): Promise<void> {
      await sql`
        update waves set phase = ${phase}, paused = ${paused}, result = ${sql.json(result)},
          approved_by = coalesce(${approved_by}, approved_by),
          plan = coalesce(${plan === null ? null : sql.json(plan)}, plan),
          closed_at = case when ${phase} = 'closed' then coalesce(closed_at, now()) end
        where id = ${wave_id}`;
      for (const check of checks) await evidence.add(wave_id, check);
    },

    async find(id: string): Promise<StoredWave | null> {
      const [row] = await sql<Omit<StoredWave, 'evidence'>[]>`select ${columns(sql)} from waves where id = ${id}`;
      return row === undefined ? null : { ...row, evidence: await evidence.list(id) };
    },

    /** Newest first, without evidence. `before`: the id of the last one of the page before. */
    async list(page: { project: string; before?: string; limit: number }): Promise<StoredWave[]> {
      const rows = await sql<Omit<StoredWave, 'evidence'>[]>`
        select ${columns(sql)} from waves where project = ${page.project}
        ${
          page.before === undefined
            ? sql``
            : sql`and (requested_at, id) < (select requested_at, id from waves where id = ${page.before})`
        }
        order by requested_at desc, id desc limit ${page.limit}`;
      return rows.map((row) => ({ ...row, evidence: [] }));
    },

    /** Chunks that were really embedded by second of writing, of the last waves; null when there were none. */
    async embeddingRate(): Promise<number | null> {
      const [row] = await sql<{ rate: number | null }[]>`
        with last as (
          select (w.result ->> 'embedded')::float8 as embedded,
            extract(epoch from max(e.at) - min(e.at))::float8 as seconds
          from waves w join evidence e on e.record_id = w.id and e."check" in ('stage', 'proof')
          where (w.result ->> 'embedded')::int > 0
          group by w.id order by w.requested_at desc limit 5)
        select sum(embedded) / nullif(sum(seconds), 0) as rate from last`;
      return row?.rate ?? null;
    },
  };
}

function columns(sql: Sql) {
  return sql`id, project, name, kind, actor, trigger, request, phase, paused, plan, result, approved_by, workflow_id, run_id,
    requested_at, closed_at`;
}
