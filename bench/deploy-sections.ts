import getPort from 'get-port';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WatchRules } from '../domain/deploy/watch.ts';
import type { Outcome } from '../domain/deploy/words.ts';
import type { Cleanup } from './deploy-cleanup.ts';
import { figure, percentile, spread, type Figure } from './deploy-figures.ts';
import type { DeployEnd, Holdfast } from './deploy-holdfast.ts';
import { createDockerScript } from './deploy-script-docker.ts';
import { createProcessScript } from './deploy-script.ts';
import type { Fault, Workload } from './deploy-workloads.ts';
import { outageIn, putUnderLoad, watchFromOutside, type LoadReport } from './deploy-world.ts';

/** What every part of the benchmark of one driver works with. */
export interface Bench {
  readonly holdfast: Holdfast;
  readonly workload: Workload;
  /** Of this run; removed at its end. */
  readonly folder: string;
  readonly dockerSocket: string;
  readonly rounds: number;
  readonly rules: WatchRules;
  readonly cleanup: Cleanup;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** The events of each deploy's history, by what came of it. */
  readonly histories: Map<string, number[]>;
}

const addedBoundMs = 2_000;
const restoreBoundMs = { process: 5_000, docker: 15_000 } as const;

/** The same deploy by a bare script and by Holdfast, in turn: what Holdfast adds. */
export async function measureAdded(bench: Bench): Promise<Figure> {
  const { holdfast, workload, rounds, rules, say } = bench;
  const service = `${workload.driver}-added`;
  await holdfast.register(service, { ...workload.onPort(await getPort()), watch: rules });
  const options = { ...bench, folder: join(bench.folder, `${service}-script`), port: await getPort() };
  const script = workload.driver === 'process' ? createProcessScript(options) : createDockerScript(options);
  const byScript = async () => {
    await workload.commit();
    return script.deploy();
  };
  const byHoldfast = async () => {
    await workload.commit();
    return (await deploys(bench, service, 'promoted')).ms;
  };

  // The first of each clones, and has nothing to stop.
  await byScript();
  await byHoldfast();
  const times: { script: number; holdfast: number }[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    // What comes second must not always be the same.
    const scriptFirst = round % 2 === 1;
    const before = scriptFirst ? await byScript() : 0;
    const by = await byHoldfast();
    times.push({ holdfast: by, script: scriptFirst ? before : await byScript() });
    say(`${service} ${round}/${rounds}: ${JSON.stringify(times.at(-1), (_, ms) => round1(ms))}`);
  }
  const added = times.map((each) => each.holdfast - each.script);
  return figure({
    ...{ figure: 'added to a bare script, p50', driver: workload.driver, unit: 'ms', bound: addedBoundMs },
    value: Math.round(percentile(added, 0.5)),
    how: 'one deploy over the API to the end of its run, minus the same by a script; in turn, each of a new commit',
    detail: {
      added_ms: spread(added),
      script_ms: spread(times.map(({ script: ms }) => ms)),
      holdfast_ms: spread(times.map(({ holdfast: ms }) => ms)),
    },
  });
}

/** A release that turns bad while it is watched: how long the world is without a good one. */
export async function measureRestore(bench: Bench, kind: Fault['kind']): Promise<Figure> {
  const { holdfast, workload, rounds, rules, say } = bench;
  const service = `${workload.driver}-${kind}`;
  const port = await getPort();
  await holdfast.register(service, { ...workload.onPort(port), watch: rules });
  const good = await workload.commit();
  await deploys(bench, service, 'promoted');
  const window_ms = kind === 'exits' ? 0 : rules.unhealthy_ms;
  const outages: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    // Another moment of the watch's period each time.
    const bad = await workload.commit({ kind, from: 'start', after_ms: 700 + 37 * (round % 10) });
    const world = watchFromOutside(`http://127.0.0.1:${port}/health`);
    const seen = await deploys(bench, service, 'rolled_back').finally(() => world.end()).then(() => world.end());
    const outage = outageIn(seen, bad, good);
    if (outage === null) throw new Error(`The world never saw ${service} turn bad and come back in round ${round}`);
    outages.push(outage - window_ms);
    say(`${service} ${round}/${rounds}: ${Math.round(outage)} ms without a good release, ${window_ms} of them to be sure`);
  }
  return figure({
    ...{ figure: `restored after a release ${kind === 'exits' ? 'exits' : 'is unhealthy'}, p95`, unit: 'ms' },
    ...{ driver: workload.driver, bound: restoreBoundMs[workload.driver] },
    value: percentile(outages.map(Math.round), 0.95),
    how: `from the first failing look of the world (every 50 ms) to the first good one at the release before, minus the detection window of ${window_ms} ms`,
    detail: { beyond_window_ms: spread(outages), window_ms },
  });
}

/** Start-first while people use it: a deploy, a rollback that is asked for, and one that is not. */
export async function measureTraffic(bench: Bench): Promise<Figure> {
  const { holdfast, workload, rules, rounds, say } = bench;
  const service = `${workload.driver}-traffic`;
  const listen = await getPort();
  await holdfast.register(service, { ...workload.behind(listen), watch: rules });
  await workload.commit();
  await deploys(bench, service, 'promoted');
  const address = `http://127.0.0.1:${listen}`;
  const loads: (LoadReport & { during: string })[] = [];
  const during = async (what: string, work: () => Promise<DeployEnd>) => {
    const load = putUnderLoad(address);
    try {
      await sleep(500);
      const { result } = await work();
      if (result.cut_over !== 'start_first') throw new Error(`${service} was deployed ${String(result.cut_over)}`);
      await sleep(1_000);
    } finally {
      loads.push({ during: what, ...(await load.end()) });
      const { requests, failed } = loads.at(-1) as LoadReport;
      say(`${service} ${what}: ${requests} requests, ${failed.length} failed`);
    }
  };
  for (let round = 0; round < Math.max(1, Math.round(rounds / 5)); round += 1) {
    await workload.commit();
    await during('deploy', () => deploys(bench, service, 'promoted'));
    await during('rollback, asked for', () => deploys(bench, service, 'promoted', { kind: 'rollback' }));
    await workload.commit({ kind: 'unhealthy', from: 'traffic', after_ms: 500 });
    await during('rollback, automatic', () => deploys(bench, service, 'rolled_back'));
  }
  const failed = loads.flatMap((load) => load.failed.map((each) => ({ during: load.during, ...each })));
  return figure({
    ...{ figure: 'failed requests, start-first', driver: workload.driver, unit: 'requests', bound: 0 },
    value: failed.length,
    how: '50 requests a second through the switch, half of them on kept connections, every ninth taking 0.4 s, during each deploy and rollback',
    detail: {
      loads: loads.map((load) => ({ ...load, failed: load.failed.length })),
      failed: failed.slice(0, 100),
    },
  });
}

/** One deploy that must end so, and is counted with the others of its kind. */
async function deploys(
  { holdfast, histories }: Bench,
  service: string,
  outcome: Outcome,
  request: Parameters<Holdfast['deploy']>[1] = {},
): Promise<DeployEnd> {
  const end = await holdfast.deploy(service, request);
  const { result, history_events } = end;
  if (result.outcome !== outcome) {
    const why = `${String(result.failure_reason)}, ${String(result.rollback_policy_reason)}`;
    throw new Error(`A deploy of ${service} ended ${String(result.outcome)} instead of ${outcome}: ${why}`);
  }
  const kind = [result.cut_over, request.kind === 'rollback' ? 'rollback asked for' : outcome].join(', ');
  histories.set(kind, [...(histories.get(kind) ?? []), history_events]);
  return end;
}

function round1(value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value) : value;
}
