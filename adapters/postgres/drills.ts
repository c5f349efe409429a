import { emptyDrillResult } from '../../domain/drill/result.ts';
import type { DrillResult } from '../../domain/drill/schemas.ts';
import type { DrillEvidence, DrillInput } from '../../domain/drill/run.ts';
import type { DrillLevel, DrillOrigin, DrillOutcome, DrillPhase, DrillTrigger } from '../../domain/drill/words.ts';
import type { Sql } from './connect.ts';
import { createEvidenceStore, type StoredCheck } from './evidence.ts';

export interface StoredDrill {
  readonly id: string;
  readonly level: DrillLevel;
  readonly from: DrillOrigin;
  readonly damaged: boolean;
  readonly box: string;
  readonly actor: string;
  readonly trigger: DrillTrigger;
  readonly phase: DrillPhase;
  readonly result: DrillResult;
  readonly workflow_id: string;
  readonly run_id: string | null;
  readonly requested_at: Date;
  readonly closed_at: Date | null;
  readonly evidence: readonly StoredCheck<DrillPhase>[];
}

export interface DrillEntry {
  readonly drill_id: string;
  readonly phase: DrillPhase;
  readonly result: DrillResult;
  readonly evidence: readonly DrillEvidence[];
}

interface Row extends Omit<StoredDrill, 'evidence' | 'from' | 'result'> {
  readonly origin: DrillOrigin;
  readonly target: string | null;
  readonly stamp: string | null;
  readonly outcome: DrillOutcome | null;
  readonly failure_reason: string | null;
  readonly rto: Readonly<Record<string, number>>;
  readonly rpo_seconds: string | null;
  readonly marker: string | null;
}

export type DrillStore = ReturnType<typeof createDrillStore>;

/** Row B9: drills and their evidence, in the operations database. Every write may be repeated. */
export function createDrillStore(sql: Sql) {
  const evidence = createEvidenceStore<DrillPhase>(sql);
  const columns = sql`id, level, origin, target, damaged, stamp, box, actor, trigger, workflow_id, run_id, phase, outcome,
    failure_reason, rto, rpo_seconds, marker, requested_at, closed_at`;

  return {
    /** By whoever comes first: the API that started the run, or the run itself. */
    async open(
      input: DrillInput,
      run: { readonly workflow_id: string; readonly run_id: string | null },
    ): Promise<void> {
      const { drill_id, box, actor, trigger, request } = input;
      await sql`
        insert into drills (id, level, origin, target, damaged, box, actor, trigger, workflow_id, run_id, phase)
        values (${drill_id}, ${request.level}, ${request.from}, ${request.target ?? null}, ${request.damaged}, ${box}, ${actor},
          ${trigger}, ${run.workflow_id}, ${run.run_id}, 'requested')
        on conflict (id) do update set run_id = coalesce(excluded.run_id, drills.run_id)`;
    },

    async record({ drill_id, phase, result, evidence: checks }: DrillEntry): Promise<void> {
      const { outcome, failure_reason, stamp, target, rto_ms, rpo_seconds, marker } = result;
      await sql`
        update drills set phase = ${phase}, outcome = ${outcome}, failure_reason = ${failure_reason}, stamp = ${stamp},
          target = coalesce(${target}, target), rto = ${sql.json(rto_ms)}, rpo_seconds = ${rpo_seconds}, marker = ${marker},
          closed_at = case when ${phase} = 'closed' then coalesce(closed_at, now()) end
        where id = ${drill_id}`;
      for (const check of checks) await evidence.add(drill_id, check);
    },

    async find(id: string): Promise<StoredDrill | null> {
      const [row] = await sql<Row[]>`select ${columns} from drills where id = ${id}`;
      return row === undefined ? null : { ...stored(row), evidence: await evidence.list(id) };
    },

    /** Newest first, without evidence. `before`: the id of the last one of the page before. */
    async list(page: {
      level?: DrillLevel | undefined;
      before?: string | undefined;
      limit: number;
    }): Promise<StoredDrill[]> {
      const { level, before, limit } = page;
      const rows = await sql<Row[]>`
        select ${columns} from drills
        where true ${level === undefined ? sql`` : sql`and level = ${level}`}
        ${before === undefined ? sql`` : sql`and (requested_at, id) < (select requested_at, id from drills where id = ${before})`}
        order by requested_at desc, id desc limit ${limit}`;
      return rows.map(stored);
    },

    /** L3 of the point: the app has booted on it. */
    async provedByBoot(stamp: string, at: Date): Promise<void> {
      await sql`
        update recovery_points set proved = proved || jsonb_build_object('L3', ${at.toISOString()}::text)
        where stamp = ${stamp}`;
    },
  };
}

function stored(row: Row): StoredDrill {
  const { origin, target, stamp, outcome, failure_reason, rto, rpo_seconds, marker, ...rest } = row;
  return {
    ...rest,
    from: origin,
    result: {
      ...{ ...emptyDrillResult(), outcome, failure_reason, stamp, target, rto_ms: { ...rto }, marker },
      rpo_seconds: rpo_seconds === null ? null : Number(rpo_seconds),
    },
    evidence: [],
  };
}
