import fc from 'fast-check';
import {
  planRetention,
  retentionPolicySchema,
  type RetentionPoint,
  type RetentionPolicy,
} from '../../../domain/backup/retention.ts';
import { stampAt, timeOf } from '../../../domain/backup/stamp.ts';

const day = 86_400_000;
const start = Date.UTC(2025, 0, 1, 2, 15);
const policyOf = (given: Partial<RetentionPolicy> = {}): RetentionPolicy => retentionPolicySchema.parse(given);
const at = (days: number, more: Partial<RetentionPoint> = {}): RetentionPoint => ({
  ...{ stamp: stampAt(new Date(start + days * day), '00aa'), proven: true, pinned: false, in_use: false },
  ...more,
});
const nights = (count: number) => Array.from({ length: count }, (_, index) => at(index));
const after = (days: number) => new Date(start + days * day + 3_600_000);
const stamps = (points: readonly { readonly stamp: string }[]) => points.map(({ stamp }) => stamp);

describe('B4 retention', () => {
  it('B4 keeps the last, and the newest of each day, week, month and year, and says why', () => {
    const policy = policyOf({ last: 2, daily: 3, weekly: 2, monthly: 2, yearly: 2, minimum: 1 });
    const { keep, drop, blocked } = planRetention({ points: nights(400), policy, now: after(399) });
    expect(blocked).toBeNull();
    expect(keep.map(({ stamp, why }) => `${stamp.slice(0, 8)} ${why}`)).toEqual([
      '20260204 newest proven, one of at least 1, last 2, daily 2026-02-04, weekly 2026-02-02, monthly 2026-02, yearly 2026',
      '20260203 last 2, daily 2026-02-03',
      '20260202 daily 2026-02-02',
      '20260201 weekly 2026-01-26',
      '20260131 monthly 2026-01',
      '20251231 yearly 2025',
    ]);
    expect(drop).toHaveLength(394);
  });

  it('B4 a row of bad points pushes no good one out (velero#9061)', () => {
    const bad = Array.from({ length: 30 }, (_, index) => at(10 + index, { proven: false }));
    const policy = policyOf({ last: 3, daily: 0, weekly: 0, monthly: 0, yearly: 0 });
    const { keep, drop } = planRetention({ points: [...nights(10), ...bad], policy, now: after(40) });
    expect(stamps(keep)).toEqual([...stamps(bad).reverse(), ...stamps(nights(10).slice(7)).reverse()]);
    expect(stamps(drop)).toEqual(stamps(nights(7)).reverse());
  });

  it('B4 what is not proven goes once something newer is', () => {
    const points = [at(0), at(1, { proven: false }), at(2)];
    const { drop } = planRetention({ points, policy: policyOf(), now: after(3) });
    expect(drop).toEqual([{ stamp: at(1).stamp, why: 'it is not proven, and newer ones are' }]);
  });

  it.each([
    ['the clock was set back', nights(30), after(10), /clock is suspect/],
    ['the clock was set far ahead, or backups have stopped', nights(30), after(30 + 46), /47 days old/],
    ['nothing is proven', nights(9).map((point) => ({ ...point, proven: false })), after(9), /no point is proven/],
    ['a point is listed twice', [...nights(9), at(3)], after(9), /listing is suspect/],
    ['something else is listed', [...nights(9), { ...at(3), stamp: 'lost+found' }], after(9), /listing is suspect/],
  ])('B4 nothing goes when %s', (_, points, now, why) => {
    const policy = policyOf({ last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 1 });
    const plan = planRetention({ points, policy, now });
    expect(plan.blocked).toMatch(why);
    expect(plan.drop).toEqual([]);
    expect(plan.keep).toHaveLength(points.length);
  });

  it('B4 a policy that would keep nothing is refused (restic#4764)', () => {
    const nothing = { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    expect(retentionPolicySchema.safeParse(nothing).success).toBe(false);
    expect(retentionPolicySchema.safeParse({ minimum: 0 }).success).toBe(false);
    expect(planRetention({ points: [], policy: policyOf(), now: after(0) })).toEqual({
      keep: [],
      drop: [],
      blocked: null,
    });
  });
});

const policies = fc
  .record({
    ...{ last: fc.nat(4), daily: fc.nat(5), weekly: fc.nat(4), monthly: fc.nat(3), yearly: fc.nat(2) },
    minimum: fc.integer({ min: 1, max: 4 }),
  })
  .filter(({ last, daily, weekly, monthly, yearly }) => last + daily + weekly + monthly + yearly > 0)
  .map(policyOf);
const hours = fc.noBias(fc.integer({ min: 1, max: 24 * 20 }));
const which = fc.noBias(fc.nat(1_000));
const event = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('backup'), hours, good: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('prune') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('damage', 'mend', 'pin', 'unpin', 'use', 'leave'), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clock'), hours: fc.integer({ min: -5_000, max: 5_000 }) }) },
);

interface World {
  points: RetentionPoint[];
  /** Of the box; true time goes on beside it. */
  clock: number;
  made: number;
}
type Happening = { readonly do: string; readonly hours?: number; readonly good?: boolean; readonly which?: number };

const changes: Readonly<Record<string, Partial<RetentionPoint>>> = {
  ...{ damage: { proven: false }, mend: { proven: true } },
  ...{ pin: { pinned: true }, unpin: { pinned: false }, use: { in_use: true }, leave: { in_use: false } },
};

function step(world: World, happening: Happening, prune: (world: World) => void): void {
  const { points } = world;
  if (happening.do === 'prune') {
    prune(world);
    return;
  }
  if (happening.do === 'clock') {
    world.clock += (happening.hours ?? 0) * 3_600_000;
  } else if (happening.do === 'backup') {
    world.clock += (happening.hours ?? 0) * 3_600_000;
    world.made += 1;
    const stamp = stampAt(new Date(world.clock), (world.made % 65_536).toString(16).padStart(4, '0'));
    points.push({ stamp, proven: happening.good ?? true, pinned: false, in_use: false });
  } else if (points.length > 0) {
    const index = (happening.which ?? 0) % points.length;
    points[index] = { ...at(0), ...points[index], ...changes[happening.do] };
  }
}

describe('B4 retention over random histories', () => {
  const histories = fc.array(event, { minLength: 5, maxLength: 120 });

  it('B4 the newest proven point, what is pinned or in use, and the minimum of good ones survive every prune', () => {
    let dropped = 0;
    let blockedTimes = 0;
    fc.assert(
      fc.property(policies, histories, (policy, history) => {
        const world: World = { points: [], clock: start, made: 0 };
        for (const happening of history) {
          step(world, happening, ({ points, clock }) => {
            const plan = planRetention({ points, policy, now: new Date(clock) });
            const kept = new Set(stamps(plan.keep));
            expect([...kept, ...stamps(plan.drop)].sort()).toEqual(stamps(points).sort());

            const proven = stamps(points.filter((point) => point.proven))
              .sort()
              .reverse();
            for (const stamp of proven.slice(0, policy.minimum)) expect(kept).toContain(stamp);
            for (const point of points) if (point.pinned || point.in_use) expect(kept).toContain(point.stamp);
            if (plan.blocked !== null || proven.length === 0) expect(plan.drop).toEqual([]);
            // Whatever is newer than the newest proven one is all that there is of that time.
            for (const { stamp } of plan.drop) expect(stamp < (proven[0] ?? '')).toBe(true);
            if (points.some(({ stamp }) => timeOf(stamp).getTime() > clock + day)) expect(plan.blocked).not.toBeNull();

            world.points = points.filter(({ stamp }) => kept.has(stamp));
            dropped += plan.drop.length;
            blockedTimes += plan.blocked === null ? 0 : 1;
            // Pruned once is pruned: the same plan again takes nothing more.
            expect(planRetention({ points: world.points, policy, now: new Date(clock) }).drop).toEqual([]);
          });
        }
      }),
      { numRuns: 1_000 },
    );
    // Histories in which nothing happens would prove nothing.
    expect(dropped).toBeGreaterThan(1_000);
    expect(blockedTimes).toBeGreaterThan(200);
  });

  it('B4 pruning after each backup keeps what pruning once at the end would keep', () => {
    const gaps = fc.array(hours, { minLength: 5, maxLength: 80 });
    fc.assert(
      fc.property(policies, gaps, (policy, history) => {
        const often: World = { points: [], clock: start, made: 0 };
        const once: World = { points: [], clock: start, made: 0 };
        const never = () => undefined;
        for (const gap of history) {
          for (const world of [often, once]) step(world, { do: 'backup', hours: gap, good: true }, never);
          const { keep } = planRetention({ points: often.points, policy, now: new Date(often.clock) });
          often.points = often.points.filter(({ stamp }) => stamps(keep).includes(stamp));
        }
        const { keep } = planRetention({ points: once.points, policy, now: new Date(once.clock) });
        expect(stamps(often.points).reverse()).toEqual(stamps(keep));
      }),
      { numRuns: 300 },
    );
  });

  it('B4 a policy that keeps more never drops what a smaller one keeps', () => {
    const points = fc
      .array(fc.record({ hour: fc.noBias(fc.nat(20_000)), proven: fc.boolean() }), { maxLength: 60 })
      .map((list) => {
        const once = new Map(list.map((each) => [each.hour, each.proven]));
        return [...once].map(([hour, proven]) => at(hour / 24, { proven }));
      });
    fc.assert(
      fc.property(policies, policies, points, (one, other, all) => {
        const larger = policyOf(
          Object.fromEntries(
            (['last', 'daily', 'weekly', 'monthly', 'yearly', 'minimum'] as const).map((name) => [
              name,
              Math.max(one[name], other[name]),
            ]),
          ),
        );
        const now = new Date(Math.max(start, ...stamps(all).map((stamp) => timeOf(stamp).getTime())));
        const keptBy = (policy: RetentionPolicy) => stamps(planRetention({ points: all, policy, now }).keep);
        expect(keptBy(larger)).toEqual(expect.arrayContaining(keptBy(one)));
      }),
      { numRuns: 500 },
    );
  });
});
