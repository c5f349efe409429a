import type { Fault } from '../support/bench-worker.ts';
import { createRandom, fullSize, seed } from '../support/proof-size.ts';

/** Something that a run changes: the nth call of an activity. */
export type SideEffect = readonly [activity: string, nth: number];

const moments = ['before', 'during', 'after'] as const;

/** Full size: the worker dies before, during and after each of them. CI: at `some` of these points, as the seed says. */
export function killPlans(
  sideEffects: readonly SideEffect[],
  some: number,
): readonly (readonly [name: string, faults: readonly Fault[]])[] {
  const at = (when: Fault['when']) => sideEffects.map(([activity, nth]) => ({ activity, nth, when }));
  if (fullSize) return moments.map((when) => [`${when} each of ${sideEffects.length} side effects`, at(when)]);
  const random = createRandom();
  const points = moments.flatMap((when) => at(when));
  const chosen = Array.from({ length: some }, () => points.splice(Math.floor(random() * points.length), 1)[0]);
  return [[`at ${some} points (seed ${seed})`, chosen.filter((fault) => fault !== undefined)]];
}
