import { z } from 'zod';
import { stampSchema, timeOf } from './stamp.ts';

const count = z.int().min(0).max(10_000);
const day = 86_400_000;

/** Row B4. Of the proven points, the newest of each of so many spans of time that have one; what several keep is kept once. */
export const retentionPolicySchema = z
  .strictObject({
    last: count.default(7),
    daily: count.default(14),
    weekly: count.default(8).meta({ description: 'Weeks begin on Monday. All spans are of UTC.' }),
    monthly: count.default(12),
    yearly: count.default(5),
    minimum: z.int().min(1).max(10_000).default(3).meta({
      description: 'So many proven points stay whatever else is said.',
    }),
    stale_after_ms: z
      .int()
      .min(1)
      .default(45 * day)
      .meta({
        description:
          'Nothing goes while the newest proven point is older: backups have stopped, or the clock is wrong.',
      }),
    trash_grace_ms: z.int().min(0).default(day).meta({
      description: 'For how long what was taken away can still be had back.',
    }),
  })
  .refine(
    ({ last, daily, weekly, monthly, yearly }) => last + daily + weekly + monthly + yearly > 0,
    'a policy that keeps nothing by itself is a slip',
  )
  .meta({ id: 'RetentionPolicy' });
export type RetentionPolicy = z.output<typeof retentionPolicySchema>;

export interface RetentionPoint {
  readonly stamp: string;
  /** Passed L2, and no check since has failed. */
  readonly proven: boolean;
  readonly pinned: boolean;
  readonly in_use: boolean;
}

export interface RetentionPlan {
  /** Newest first, both. */
  readonly keep: readonly { readonly stamp: string; readonly why: string }[];
  readonly drop: readonly { readonly stamp: string; readonly why: string }[];
  /** Why nothing may go now, and `drop` is empty; null: what is in `drop` may. */
  readonly blocked: string | null;
}

/** A stamp may be from so much later than now: clocks are corrected by moments all the time. */
const clockSlackMs = 60_000;

/**
 * What stays and what goes. Points are ordered and told apart by their stamps alone, so that a wrong clock cannot make one old;
 * now only tells whether clock and stamps fit each other at all.
 */
export function planRetention(order: {
  readonly points: readonly RetentionPoint[];
  readonly policy: RetentionPolicy;
  readonly now: Date;
}): RetentionPlan {
  const points = [...order.points].sort((a, b) => (a.stamp < b.stamp ? 1 : -1));
  const proven = points.filter((point) => point.proven);
  const blocked = obstacle(points, proven, order);
  if (blocked !== null)
    return { keep: points.map(({ stamp }) => ({ stamp, why: 'nothing goes now' })), drop: [], blocked };

  const reasons = reasonsToKeep(proven, order.policy);
  const judged = points.map((point) => ({ ...point, whys: whysOf(point, proven, reasons) }));
  return {
    keep: judged.flatMap(({ stamp, whys }) => (whys.length > 0 ? [{ stamp, why: whys.join(', ') }] : [])),
    drop: judged.flatMap(({ stamp, proven: good, whys }) => (whys.length > 0 ? [] : [{ stamp, why: whyNot(good) }])),
    blocked,
  };
}

function whyNot(good: boolean): string {
  return good ? 'newer points stand for its time' : 'it is not proven, and newer ones are';
}

function obstacle(
  points: readonly RetentionPoint[],
  proven: readonly RetentionPoint[],
  { policy, now }: { readonly policy: RetentionPolicy; readonly now: Date },
): string | null {
  const strange = points.find(
    ({ stamp }, index) => !stampSchema.safeParse(stamp).success || points[index + 1]?.stamp === stamp,
  );
  if (strange !== undefined)
    return `the listing is suspect: ${JSON.stringify(strange.stamp)} is twice there, or no STAMP`;
  const [latest] = points;
  if (latest !== undefined && timeOf(latest.stamp).getTime() > now.getTime() + clockSlackMs)
    return `the clock is suspect: it is ${now.toISOString()}, and there is ${latest.stamp}`;
  const [newest] = proven;
  if (newest === undefined) return points.length === 0 ? null : 'no point is proven: what is there may be all there is';
  const age = now.getTime() - timeOf(newest.stamp).getTime();
  if (age > policy.stale_after_ms)
    return `the newest proven point is ${Math.floor(age / day)} days old: backups have stopped, or the clock is wrong`;
  return null;
}

/** `proven`: newest first. By stamp. */
function reasonsToKeep(proven: readonly RetentionPoint[], policy: RetentionPolicy): ReadonlyMap<string, string[]> {
  const reasons = new Map<string, string[]>();
  const because = (stamp: string, why: string) => reasons.set(stamp, [...(reasons.get(stamp) ?? []), why]);
  for (const { stamp } of proven.slice(0, 1)) because(stamp, 'newest proven');
  for (const { stamp } of proven.slice(0, policy.minimum)) because(stamp, `one of at least ${policy.minimum}`);
  for (const { stamp } of proven.slice(0, policy.last)) because(stamp, `last ${policy.last}`);
  for (const [span, nameOf] of spans) {
    for (const [name, stamp] of newestOfEach(proven, nameOf, policy[span])) because(stamp, `${span} ${name}`);
  }
  return reasons;
}

/** The newest `most` spans that have a point, each with its newest. */
function newestOfEach(
  proven: readonly RetentionPoint[],
  nameOf: (at: Date) => string,
  most: number,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { stamp } of proven) {
    const name = nameOf(timeOf(stamp));
    if (!found.has(name) && found.size < most) found.set(name, stamp);
  }
  return found;
}

const spans = [
  ['daily', (at: Date) => at.toISOString().slice(0, 10)],
  ['weekly', (at: Date) => mondayOf(at).toISOString().slice(0, 10)],
  ['monthly', (at: Date) => at.toISOString().slice(0, 7)],
  ['yearly', (at: Date) => at.toISOString().slice(0, 4)],
] as const;

function mondayOf(at: Date): Date {
  return new Date(at.getTime() - ((at.getUTCDay() + 6) % 7) * day);
}

function whysOf(
  { stamp, proven: good, pinned, in_use }: RetentionPoint,
  proven: readonly RetentionPoint[],
  reasons: ReadonlyMap<string, string[]>,
): string[] {
  const [newest] = proven;
  // Of what came after the newest proven point there is nothing better.
  const isLater = !good && (newest === undefined || stamp > newest.stamp);
  return [
    ...(pinned ? ['pinned'] : []),
    ...(in_use ? ['in use'] : []),
    ...(isLater ? ['newer than every proven point'] : []),
    ...(reasons.get(stamp) ?? []),
  ];
}
