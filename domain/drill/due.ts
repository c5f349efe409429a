import type { DrillLevel } from './words.ts';

const day = 86_400_000;

/** Row B9: after so long without one that passed, a drill is overdue: a week or a month, and time to make up for it. */
export const dueAfterMs: Readonly<Record<DrillLevel | 'damaged', number>> = {
  scratch: 8 * day,
  damaged: 35 * day,
  live: 35 * day,
};

/** `since`: when Holdfast was first run here, for one that was never done. */
export function isOverdue(kind: DrillLevel | 'damaged', lastGood: Date | null, since: Date, now: Date): boolean {
  return now.getTime() - (lastGood ?? since).getTime() > dueAfterMs[kind];
}
