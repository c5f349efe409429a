/** How fast something has gone since it was first looked at, and how long the rest takes at that pace. */
export interface Pace {
  /** null: nothing has been seen to move yet. */
  readonly perSecond: number | null;
  readonly secondsLeft: number | null;
}

export function createRate(): (nowMs: number, progress: { readonly done: number; readonly items: number }) => Pace {
  let first: { readonly atMs: number; readonly done: number } | null = null;
  return (nowMs, { done, items }) => {
    first ??= { atMs: nowMs, done };
    const moved = done - first.done;
    const seconds = (nowMs - first.atMs) / 1_000;
    if (moved <= 0 || seconds <= 0) return { perSecond: null, secondsLeft: null };
    const perSecond = moved / seconds;
    return { perSecond, secondsLeft: (items - done) / perSecond };
  };
}
