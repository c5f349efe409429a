import getPort from 'get-port';
import { percentile, spread, type Measured } from './deploy-figures.ts';
import { deployTo, type Bench } from './deploy-rounds.ts';
import type { Fault } from './deploy-workloads.ts';
import { outageIn, watchFromOutside, type Sighting } from './deploy-world.ts';

/** A release that turns bad while it is watched: how long the world is without a good one, stop-first. */
export async function measureRestore(bench: Bench, kind: Fault['kind']): Promise<Measured> {
  const { holdfast, workload, rounds, rules, say } = bench;
  const service = `${workload.driver}-${kind}`;
  const port = await getPort();
  await holdfast.register(service, { ...workload.onPort(port), watch: rules });
  const good = await workload.commit();
  await deployTo(bench, service, 'promoted');
  const window_ms = kind === 'exits' ? 0 : rules.unhealthy_ms;
  const beyond: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    // At another moment of the watch's period each time.
    const bad = await workload.commit({ kind, from: 'start', after_ms: 1_200 + 37 * (round % 10) });
    const seen = await seenDuring(`http://127.0.0.1:${port}/health`, () => deployTo(bench, service, 'rolled_back'));
    const outage = outageIn(seen, bad, good);
    if (outage === null) throw new Error(`The world did not see ${service} turn bad and come back in round ${round}`);
    beyond.push(outage - window_ms);
    say(`${service} ${round}/${rounds}: ${Math.round(outage)} ms without a good release, ${window_ms} to be sure`);
  }
  return {
    value: Math.round(percentile(beyond, 0.95)),
    how: `the world's first failing look (every 50 ms) to its first good one at the release before, minus the detection window: ${window_ms} ms`,
    detail: { beyond_window_ms: spread(beyond), window_ms },
  };
}

async function seenDuring(url: string, work: () => Promise<unknown>): Promise<readonly Sighting[]> {
  const world = watchFromOutside(url);
  try {
    await work();
  } catch (error) {
    await world.end();
    throw error;
  }
  return world.end();
}
