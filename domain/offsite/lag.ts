export interface LagFacts {
  /** Points that a restore could take, with when they were taken. */
  readonly points: readonly { readonly stamp: string; readonly takenAt: Date; readonly bytes: number }[];
  /** Stamps that were read back whole at the target, of points that are kept here or not any more. */
  readonly verified: readonly string[];
}

export interface Lag {
  /** Points that the target has not. */
  readonly waiting: number;
  readonly waiting_bytes: number;
  /** Age of the oldest point that is newer than all the target has: so much would be lost with this box. 0: nothing. */
  readonly lag_seconds: number;
  readonly newest_verified: string | null;
}

/** How far a target is behind. A point without a copy that is older than one with a copy waits, and is no lag. */
export function lagOf({ points, verified }: LagFacts, now: Date): Lag {
  const there = new Set(verified);
  const waiting = points.filter(({ stamp }) => !there.has(stamp));
  const newest = [...verified].sort().at(-1) ?? null;
  const behind = waiting
    .filter(({ stamp }) => newest === null || stamp > newest)
    .map(({ takenAt }) => takenAt.getTime());
  const age = behind.length === 0 ? 0 : now.getTime() - Math.min(...behind);
  return {
    waiting: waiting.length,
    waiting_bytes: waiting.reduce((sum, { bytes }) => sum + bytes, 0),
    lag_seconds: Math.max(0, Math.round(age / 1_000)),
    newest_verified: newest,
  };
}
