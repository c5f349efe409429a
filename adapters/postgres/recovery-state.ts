import type { DrillLevel, DrillOutcome } from '../../domain/drill/words.ts';
import type { Sql } from './connect.ts';
import { createOffsiteStore } from './offsite.ts';

/** A drill that is over, as alarms want to know it. */
export interface DrillStanding {
  readonly level: DrillLevel;
  readonly damaged: boolean;
  /** When the last one ended as it should; null: none has. */
  readonly good_at: Date | null;
  readonly last_outcome: DrillOutcome;
  /** Of the last good one. */
  readonly rto_ms: Readonly<Record<string, number>>;
  readonly rpo_seconds: number | null;
}

/** Row O6: whether the data could be brought back, in figures. */
export interface RecoveryState {
  /** When the newest point was taken that passed L2 and is good and here; null: there is none. */
  readonly newest_proven_at: Date | null;
  /** Kept ones by their standing. */
  readonly points: Readonly<Record<'good' | 'damaged', number>>;
  /** When a level was passed last, by any point that is kept. */
  readonly proved_at: Readonly<Record<string, Date>>;
  readonly drills: readonly DrillStanding[];
  readonly targets: readonly {
    readonly target: string;
    readonly waiting: number;
    readonly lag_seconds: number;
    /** Whether it lets nothing be taken away. */
    readonly retention_blocked: boolean;
  }[];
  /** Whether the last retention took nothing away because something was suspect. */
  readonly retention_blocked: boolean;
  /** Since when there is anything: what was never done is overdue from then on. */
  readonly since: Date;
}

export type ReadRecoveryState = () => Promise<RecoveryState>;

/** Out of the rows, so that a restart of the API forgets nothing. Operations database. */
export function createRecoveryState(ops: Sql): ReadRecoveryState {
  const offsite = createOffsiteStore(ops);
  return async () => {
    const [points, proved, drills, targets, blocked, since] = await Promise.all([
      ops<{ standing: 'good' | 'damaged'; points: string; newest: Date | null }[]>`
        select standing, count(*) as points, max(taken_at) filter (where standing = 'good' and proved ? 'L2') as newest
        from recovery_points where place = 'kept' group by standing`,
      ops<{ level: string; at: Date }[]>`
        select level, max(at::timestamptz) as at from recovery_points, jsonb_each_text(proved) as each (level, at)
        where place = 'kept' group by level`,
      ops<DrillRow[]>`
        select level, damaged,
          max(closed_at) filter (where outcome in ('passed', 'damage_found')) as good_at,
          (array_agg(outcome order by closed_at desc))[1] as last_outcome,
          (array_agg(rto order by closed_at desc) filter (where outcome in ('passed', 'damage_found')))[1] as rto,
          (array_agg(rpo_seconds order by closed_at desc) filter (where outcome in ('passed', 'damage_found')))[1] as rpo_seconds
        from drills where closed_at is not null and outcome <> 'refused' group by level, damaged`,
      offsite.lags(),
      ops<{ blocked: boolean }[]>`
        select coalesce(result ->> 'outcome' = 'blocked', false) as blocked from backup_runs
        where kind = 'prune' and closed_at is not null order by closed_at desc limit 1`,
      ops<{ since: Date }[]>`select min(applied_at) as since from migrations`,
    ]);
    const counted = Object.fromEntries(points.map((row) => [row.standing, Number(row.points)]));
    return {
      newest_proven_at: points.find(({ standing }) => standing === 'good')?.newest ?? null,
      points: { good: counted['good'] ?? 0, damaged: counted['damaged'] ?? 0 },
      proved_at: Object.fromEntries(proved.map(({ level, at }) => [level, at])),
      drills: drills.map(standing),
      targets: targets.map(({ target, waiting, lag_seconds, retention_reason }) => ({
        ...{ target, waiting, lag_seconds, retention_blocked: retention_reason !== null },
      })),
      retention_blocked: blocked[0]?.blocked ?? false,
      since: since[0]?.since ?? new Date(),
    };
  };
}

interface DrillRow extends Pick<DrillStanding, 'level' | 'damaged' | 'good_at' | 'last_outcome'> {
  readonly rto: Readonly<Record<string, number>> | null;
  readonly rpo_seconds: string | null;
}

function standing({ rto, rpo_seconds, ...row }: DrillRow): DrillStanding {
  return { ...row, rto_ms: rto ?? {}, rpo_seconds: rpo_seconds === null ? null : Number(rpo_seconds) };
}
