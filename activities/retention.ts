import type { LockStore } from '../adapters/postgres/locks.ts';
import type { OffsiteRetentionStore } from '../adapters/postgres/offsite-retention.ts';
import type { OffsiteStore } from '../adapters/postgres/offsite.ts';
import type { ScheduleStore } from '../adapters/postgres/schedules.ts';
import { retentionPolicySchema, type RetentionPlan, type RetentionPolicy } from '../domain/backup/retention.ts';
import { pointLock } from '../domain/backup/run.ts';
import { pruneRequestSchema, type TargetPlan } from '../domain/backup/schemas.ts';
import { planTargetRetention } from '../domain/offsite/retention.ts';

/** As the schedule of retention says. */
export async function standingPolicy(schedules: Pick<ScheduleStore, 'find'>): Promise<RetentionPolicy> {
  const scheduled = pruneRequestSchema.safeParse((await schedules.find('retention'))?.request);
  return scheduled.data?.policy ?? retentionPolicySchema.parse({});
}

/** What uses a point holds its lock shared; exclusively it is held by what takes it away. */
export async function pointsInUse(locks: Pick<LockStore, 'list'>): Promise<(stamp: string) => boolean> {
  const shared = (await locks.list()).filter(({ mode }) => mode === 'shared');
  const held = new Set(shared.map(({ resource }) => resource));
  return (stamp) => held.has(pointLock(stamp));
}

export interface TargetPlanDeps {
  readonly offsite: Pick<OffsiteStore, 'list'>;
  readonly retention: Pick<OffsiteRetentionStore, 'copies'>;
  readonly locks: Pick<LockStore, 'list'>;
  readonly schedules: Pick<ScheduleStore, 'find'>;
  readonly now: () => Date;
}

export type TargetPlanner = ReturnType<typeof createTargetPlanner>;

/** Row B4 at targets, by what the rows say of each. */
export function createTargetPlanner({ offsite, retention, locks, schedules, now }: TargetPlanDeps) {
  /** `purged`: points to be taken for purged here. `whole`: copies that are there with their manifest, whatever was begun. */
  async function at(
    target: string,
    { purged = [], whole = [] }: { readonly purged?: readonly string[]; readonly whole?: readonly string[] } = {},
  ): Promise<RetentionPlan> {
    const isInUse = await pointsInUse(locks);
    const copies = (await retention.copies(target)).map((copy) => ({
      ...copy,
      in_use: isInUse(copy.stamp),
      place: purged.includes(copy.stamp) ? ('purged' as const) : copy.place,
      removing: copy.removing && !whole.includes(copy.stamp),
    }));
    return planTargetRetention({ copies, policy: await standingPolicy(schedules), now: now() });
  }

  return {
    at,

    /** Of each target of a box at which anything may ever go. */
    async ofBox(box: string, purged: readonly string[]): Promise<TargetPlan[]> {
      const plans: TargetPlan[] = [];
      for (const target of await offsite.list()) {
        if (target.box !== box || !target.enabled || target.retention === 'none') continue;
        const { keep, drop, blocked } = await at(target.name, { purged });
        plans.push({ target: target.name, keep: [...keep], drop: [...drop], blocked });
      }
      return plans;
    },
  };
}
