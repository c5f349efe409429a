import getPort from 'get-port';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Measured } from './deploy-figures.ts';
import { deployTo, type Bench } from './deploy-rounds.ts';
import type { DeployEnd } from './deploy-holdfast.ts';
import { putUnderLoad, type LoadReport } from './deploy-world.ts';

const mostListed = 100;

interface Load extends LoadReport {
  readonly during: string;
}

/** Start-first while people use it: a deploy, a rollback that is asked for, and one that nobody asked for. */
export async function measureTraffic(bench: Bench): Promise<Measured> {
  const { holdfast, workload, rules, rounds, say } = bench;
  const service = `${workload.driver}-traffic`;
  const listen = await getPort();
  await holdfast.register(service, { ...workload.behind(listen), watch: rules });
  await workload.commit();
  await deployTo(bench, service, 'promoted');
  const loads: Load[] = [];
  const under = async (during: string, work: () => Promise<DeployEnd>): Promise<void> => {
    const load = await loadDuring(`http://127.0.0.1:${listen}`, work);
    loads.push({ during, ...load });
    say(`${service}, ${during}: ${load.requests} requests, ${load.failed.length} failed`);
  };
  for (let round = 0; round < Math.ceil(rounds / 5); round += 1) {
    await workload.commit();
    await under('deploy', () => deployTo(bench, service, 'promoted'));
    await under('rollback, asked for', () => deployTo(bench, service, 'promoted', { kind: 'rollback' }));
    // Its pages stay good: what goes wrong for somebody is the fault of the rollback.
    await workload.commit({ kind: 'unhealthy', from: 'traffic', after_ms: 500 });
    await under('rollback, automatic', () => deployTo(bench, service, 'rolled_back'));
  }
  const failed = loads.flatMap((load) => load.failed.map((each) => ({ during: load.during, ...each })));
  return {
    value: failed.length,
    how: '50 requests a second through the switch, every second one on a kept connection, every ninth taking 0.4 s',
    detail: {
      loads: loads.map((load) => ({ ...load, failed: load.failed.length })),
      failed: failed.slice(0, mostListed),
    },
  };
}

async function loadDuring(address: string, work: () => Promise<DeployEnd>): Promise<LoadReport> {
  const load = putUnderLoad(address);
  try {
    await sleep(500);
    const { cut_over } = (await work()).result;
    if (cut_over !== 'start_first') throw new Error(`It was deployed ${String(cut_over)}, not start_first`);
    await sleep(1_000);
  } catch (error) {
    await load.end();
    throw error;
  }
  return load.end();
}
