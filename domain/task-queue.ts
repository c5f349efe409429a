/** Workflows, and activities that touch no box. */
export const mainTaskQueue = 'holdfast';

/** Side effects on one machine. */
export function boxTaskQueue(box: string): string {
  return `box-${box}`;
}
