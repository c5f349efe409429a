import fc from 'fast-check';
import { planRetention, retentionPolicySchema } from '../../../domain/backup/retention.ts';
import { stampAt } from '../../../domain/backup/stamp.ts';
import { planTargetRetention, type TargetCopy } from '../../../domain/offsite/retention.ts';

const day = 86_400_000;
const start = Date.UTC(2026, 0, 1, 2);
const stampOf = (days: number): string => stampAt(new Date(start + days * day), '00aa');
const after = (days: number): Date => new Date(start + days * day + 3_600_000);
const copy = (days: number, more: Partial<TargetCopy> = {}): TargetCopy => ({
  ...{ stamp: stampOf(days), proven: true, pinned: false, in_use: false, place: 'purged', removing: false },
  ...more,
});
/** Keeps the last two. */
const policy = retentionPolicySchema.parse({ last: 2, daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 1 });
const planned = (copies: readonly TargetCopy[], now = after(9)) => planTargetRetention({ copies, policy, now });
const whyOf = (plan: ReturnType<typeof planned>, days: number): string | undefined =>
  plan.keep.find(({ stamp }) => stamp === stampOf(days))?.why;

describe('B4 B5 retention at a target', () => {
  test('B4 what the policy lets go and this box has purged goes; all else stays, and says why', () => {
    const plan = planned([
      ...[copy(0), copy(1, { place: 'kept' }), copy(2, { place: 'trash' }), copy(3, { place: 'missing' })],
      ...[copy(4, { pinned: true }), copy(5, { in_use: true }), copy(6), copy(8), copy(9, { place: 'kept' })],
    ]);
    expect(plan.drop).toEqual([6, 0].map((days) => ({ stamp: stampOf(days), why: 'newer points stand for its time' })));
    expect(plan.keep.map(({ stamp }) => stamp)).toEqual([9, 8, 5, 4, 3, 2, 1].map(stampOf));
    expect([1, 2, 3, 4, 5, 8].map((days) => whyOf(plan, days))).toEqual([
      'it is kept on this box',
      'it is in the trash of this box, and goes when that is purged',
      'it is missing on this box: this may be all there is of it',
      ...['pinned', 'in use', 'last 2'],
    ]);
  });

  test('B4 a clock or a listing that is suspect lets nothing go, and finishes nothing', () => {
    const copies = [copy(0), copy(1, { removing: true }), copy(8), copy(9)];
    for (const now of [after(7), after(9 + 46)]) {
      const plan = planned(copies, now);
      expect([plan.drop, plan.blocked]).toEqual([[], expect.any(String)]);
    }
    expect(planned([copy(0), ...copies]).blocked).toContain('suspect');
    expect(planned([copy(0, { proven: false })]).blocked).toContain('no point is proven');
  });

  test('B4 what was begun is finished, and counts as nothing that is there', () => {
    const plan = planned([copy(1), copy(2), copy(3, { removing: true }), copy(4, { removing: true, in_use: true })]);
    expect(plan.drop).toEqual([{ stamp: stampOf(3), why: 'its removal was begun' }]);
    expect(plan.keep.map(({ stamp }) => stamp)).toEqual([2, 1].map(stampOf));
  });

  test('B4 never more than the same policy would let go here, never what is still here, never the newest proven', () => {
    const copies = fc.uniqueArray(
      fc.record({
        stamp: fc.integer({ min: 0, max: 400 }).map(stampOf),
        ...{ proven: fc.boolean(), pinned: fc.boolean(), in_use: fc.boolean(), removing: fc.constant(false) },
        place: fc.constantFrom('kept' as const, 'trash' as const, 'purged' as const, 'missing' as const),
      }),
      { selector: ({ stamp }) => stamp, maxLength: 60 },
    );
    fc.assert(
      fc.property(copies, (points) => {
        const now = after(401);
        const dropped = new Set(planTargetRetention({ copies: points, policy, now }).drop.map(({ stamp }) => stamp));
        const here = new Set(planRetention({ points, policy, now }).drop.map(({ stamp }) => stamp));
        const newest = points
          .filter(({ proven }) => proven)
          .map(({ stamp }) => stamp)
          .sort()
          .at(-1);
        expect([...dropped].every((stamp) => here.has(stamp) && stamp !== newest)).toBe(true);
        expect(points.filter(({ stamp, place }) => dropped.has(stamp) && place !== 'purged')).toEqual([]);
      }),
    );
  });
});
