import type { PointMaker } from '../adapters/backup/point-maker.ts';
import type { Points } from '../adapters/backup/points.ts';
import { syncCatalog } from '../adapters/backup/sync-catalog.ts';
import type { LockStore } from '../adapters/postgres/locks.ts';
import type { RecoveryPointStore, StoredPoint } from '../adapters/postgres/recovery-points.ts';
import type { ScheduleStore } from '../adapters/postgres/schedules.ts';
import { planRetention, type RetentionPlan, type RetentionPolicy } from '../domain/backup/retention.ts';
import type { PrunePlan, PruneRequest } from '../domain/backup/schemas.ts';
import { withHeartbeat } from './heartbeat.ts';
import { pointsInUse, standingPolicy, type TargetPlanner } from './retention.ts';

export interface PruneDeps {
  readonly recoveryPoints: RecoveryPointStore;
  readonly points: Points;
  readonly maker: Pick<PointMaker, 'prove' | 'manifest'>;
  readonly locks: Pick<LockStore, 'list'>;
  readonly schedules: Pick<ScheduleStore, 'find'>;
  readonly targets: Pick<TargetPlanner, 'ofBox'>;
  readonly box: string;
  readonly now: () => Date;
}

/** More than anybody keeps. */
const mostPoints = 10_000;

export function createPruneActivities(deps: PruneDeps) {
  const { recoveryPoints, points, maker } = deps;

  /** As the schedule says unless the request does. */
  async function policyOf({ policy }: PruneRequest): Promise<RetentionPolicy> {
    return policy ?? standingPolicy(deps.schedules);
  }

  async function plan(request: PruneRequest, listing: string | null): Promise<RetentionPlan> {
    const isInUse = await pointsInUse(deps.locks);
    const kept = await recoveryPoints.list({ places: ['kept'], box: deps.box, limit: mostPoints });
    const { keep, drop, blocked } = planRetention({
      points: kept.map((point) => ({
        stamp: point.stamp,
        proven: isProven(point),
        pinned: point.pin_reason !== null,
        in_use: isInUse(point.stamp),
      })),
      policy: await policyOf(request),
      now: deps.now(),
    });
    return { keep, drop, blocked: listing ?? blocked };
  }

  /** What has been in the trash for longer than the grace. */
  async function purgeable(request: PruneRequest): Promise<string[]> {
    const { trash_grace_ms } = await policyOf(request);
    const before = deps.now().getTime() - trash_grace_ms;
    return (await points.trashed()).filter(({ trashed_at }) => trashed_at.getTime() < before).map(({ stamp }) => stamp);
  }

  /** With what goes at targets once this run has purged what it may. */
  async function withTargets({ keep, drop, blocked }: RetentionPlan, request: PruneRequest): Promise<PrunePlan> {
    const purged = blocked === null ? await purgeable(request) : [];
    return { keep: [...keep], drop: [...drop], blocked, targets: await deps.targets.ofBox(deps.box, purged) };
  }

  return {
    /**
     * What is on the disk becomes what the rows say; then the newest proven point is looked at once more by its bytes, since all
     * the others may go because it is there.
     */
    planPrune: (request: PruneRequest): Promise<PrunePlan> =>
      withHeartbeat(async (signal) => {
        const { suspect } = await syncCatalog(deps);
        for (;;) {
          const decided = await plan(request, suspect);
          const newest = await recoveryPoints.newestProven(deps.box);
          if (decided.blocked !== null || decided.drop.length === 0 || newest === null)
            return withTargets(decided, request);
          const look = { signal, attempt: 1, beat: () => undefined };
          const bad = (await maker.prove(newest.stamp, 'kept', 'L0', look)).find(({ ok }) => !ok);
          if (bad === undefined) return withTargets(decided, request);
          const judged = { level: 'L0' as const, ok: false, at: deps.now(), reason: bad.reason, backup_id: 'prune' };
          await recoveryPoints.judge(newest.stamp, judged);
        }
      }),

    /** Decided once more, now that nobody can begin to use it. */
    async trashPoint(stamp: string, request: PruneRequest): Promise<{ ok: boolean; reason: string }> {
      const found = await recoveryPoints.find(stamp);
      if (found?.place === 'trash') return { ok: true, reason: 'it is in the trash' };
      const decided = await plan({ ...request, dry_run: false }, null);
      const own = decided.drop.find((each) => each.stamp === stamp);
      const mine = decided.keep.find((each) => each.stamp === stamp);
      if (decided.blocked !== null || own === undefined)
        return { ok: false, reason: decided.blocked ?? mine?.why ?? 'it is not there any more' };
      await points.trash(stamp, deps.now());
      await recoveryPoints.moved(stamp, 'trash', deps.box);
      return { ok: true, reason: own.why };
    },

    purgeable,

    purgePoint: (stamp: string): Promise<void> =>
      withHeartbeat(async () => {
        await points.purge(stamp);
        // Had back, or fetched again, since the trash was listed.
        if (!(await points.isPublished(stamp))) await recoveryPoints.moved(stamp, 'purged', deps.box);
      }),
  };
}

export type PruneActivities = ReturnType<typeof createPruneActivities>;

function isProven({ standing, proved }: StoredPoint): boolean {
  return standing === 'good' && proved.L2 !== undefined;
}
