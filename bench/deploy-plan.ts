import { measureAdded } from './deploy-added.ts';
import { eventsOfDeploys, eventsOfStandingWatch } from './deploy-events.ts';
import type { Figure, Measured } from './deploy-figures.ts';
import { measureRestore } from './deploy-restore.ts';
import type { Bench } from './deploy-rounds.ts';
import { measureTraffic } from './deploy-traffic.ts';

interface Plan extends Pick<Figure, 'figure' | 'unit'> {
  readonly bound: Readonly<Partial<Record<Figure['driver'], number>>>;
  readonly measure: (bench: Bench) => Measured | Promise<Measured>;
}

/** What is measured of each driver that has a bound, in this order: the last counts what the others made. */
const plans: readonly Plan[] = [
  {
    ...{ figure: 'added to a bare script, p50', unit: 'ms', measure: measureAdded },
    bound: { process: 2_000, docker: 2_000 },
  },
  {
    ...{ figure: 'restored when a release exits, p95', unit: 'ms', bound: { process: 5_000, docker: 15_000 } },
    measure: (bench) => measureRestore(bench, 'exits'),
  },
  {
    ...{ figure: 'restored when a release is unhealthy, p95', unit: 'ms', bound: { process: 5_000, docker: 15_000 } },
    measure: (bench) => measureRestore(bench, 'unhealthy'),
  },
  {
    ...{ figure: 'failed requests, start-first', unit: 'requests', measure: measureTraffic },
    bound: { process: 0, docker: 0 },
  },
  {
    ...{ figure: 'history events of a deploy, most', unit: 'events', measure: eventsOfDeploys },
    bound: { process: 200, docker: 200 },
  },
  {
    // The same for every driver.
    ...{ figure: 'history events a day of a watch, all well', unit: 'events', measure: eventsOfStandingWatch },
    bound: { process: 100 },
  },
];

/** `prepare` may fail, as where there is no Docker; then nothing is measured, and each figure says why. */
export async function measureDriver(
  driver: Figure['driver'],
  prepare: () => Promise<Bench>,
  signal: AbortSignal,
): Promise<Figure[]> {
  const ours = plans.filter(({ bound }) => bound[driver] !== undefined);
  const figures: Figure[] = [];
  const bench = await prepare().catch(asError);
  for (const { figure, unit, bound, measure } of ours) {
    const measured = bench instanceof Error ? notMeasured(bench) : await attempt(() => measure(bench));
    signal.throwIfAborted();
    const most = bound[driver] ?? 0;
    const ok = measured.value !== null && measured.value <= most;
    figures.push({ figure, driver, unit, bound: most, ok, ...measured });
  }
  return figures;
}

/** One figure that cannot be had leaves the others. */
async function attempt(measure: () => Measured | Promise<Measured>): Promise<Measured> {
  try {
    return await measure();
  } catch (error) {
    return notMeasured(asError(error));
  }
}

function notMeasured({ message }: Error): Measured {
  return { value: null, how: `not measured: ${message}`, detail: {} };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
