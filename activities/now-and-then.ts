/** How often people are told how far something is. */
const everyMs = 2_000;

/** Told at once and then every few seconds: the next word says more, and nothing depends on one that is lost. */
export function nowAndThen<T>(tell: (progress: T) => Promise<void>): (progress: T) => void {
  let toldAt = 0;
  return (progress) => {
    if (Date.now() - toldAt < everyMs) return;
    toldAt = Date.now();
    tell(progress).catch(() => undefined);
  };
}
