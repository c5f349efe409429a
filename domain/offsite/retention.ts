import type { CatalogPlace } from '../backup/catalog.ts';
import { planRetention, type RetentionPlan, type RetentionPoint, type RetentionPolicy } from '../backup/retention.ts';

/** A copy that was read back whole at a target, of a point that this box has taken. */
export interface TargetCopy extends RetentionPoint {
  /** Where its point lies on this box. */
  readonly place: CatalogPlace;
  /** Its removal has begun: without its manifest it is no point any more. */
  readonly removing: boolean;
}

/**
 * Row B4 at a target: by the same policy over what was read back there. It takes away only what this box has let go of and purged,
 * so that it never fights with what is pushed, and a slip in the policy has the trash's grace there too.
 */
export function planTargetRetention(order: {
  readonly copies: readonly TargetCopy[];
  readonly policy: RetentionPolicy;
  readonly now: Date;
}): RetentionPlan {
  const { copies, ...rest } = order;
  const { keep, drop, blocked } = planRetention({ ...rest, points: copies.filter(({ removing }) => !removing) });
  if (blocked !== null) return { keep, drop, blocked };
  const places = new Map(copies.map(({ stamp, place }) => [stamp, place]));
  const isGone = ({ stamp }: { stamp: string }): boolean => places.get(stamp) === 'purged';
  const stays = drop.filter((each) => !isGone(each));
  const begun = copies.filter(({ removing, in_use }) => removing && !in_use);
  return {
    keep: newestFirst([...keep, ...stays.map(({ stamp }) => ({ stamp, why: whyHere[places.get(stamp) ?? 'kept'] }))]),
    drop: newestFirst([...drop.filter(isGone), ...begun.map(({ stamp }) => ({ stamp, why: 'its removal was begun' }))]),
    blocked,
  };
}

const whyHere: Readonly<Record<CatalogPlace, string>> = {
  kept: 'it is kept on this box',
  trash: 'it is in the trash of this box, and goes when that is purged',
  missing: 'it is missing on this box: this may be all there is of it',
  purged: '',
};

function newestFirst<T extends { readonly stamp: string }>(points: readonly T[]): T[] {
  return points.toSorted((a, b) => (a.stamp < b.stamp ? 1 : -1));
}
