import getPort from 'get-port';
import { join } from 'node:path';
import { percentile, spread, type Measured } from './deploy-figures.ts';
import { deployTo, type Bench } from './deploy-rounds.ts';
import { createDockerScript } from './deploy-script-docker.ts';
import { createProcessScript } from './deploy-script.ts';

/** The same deploy by a bare script and by Holdfast, in turn: what Holdfast adds. */
export async function measureAdded(bench: Bench): Promise<Measured> {
  const { holdfast, workload, rounds, rules, say } = bench;
  const { driver } = workload;
  const service = `${driver}-added`;
  await holdfast.register(service, { ...workload.onPort(await getPort()), watch: rules });
  const options = { ...bench, folder: join(bench.folder, `${service}-script`), port: await getPort() };
  const script = driver === 'process' ? createProcessScript(options) : createDockerScript(options);
  // Each of a commit of its own: no build finds what the other one made.
  const byScript = async () => {
    await workload.commit();
    return script.deploy();
  };
  const byHoldfast = async () => {
    await workload.commit();
    return (await deployTo(bench, service, 'promoted')).ms;
  };

  // The first of each clones, and has nothing to stop.
  await byScript();
  await byHoldfast();
  const times: { script: number; holdfast: number }[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    // What comes second must not always be the same.
    const scriptFirst = round % 2 === 1;
    const first = await (scriptFirst ? byScript() : byHoldfast());
    const second = await (scriptFirst ? byHoldfast() : byScript());
    const time = scriptFirst ? { script: first, holdfast: second } : { script: second, holdfast: first };
    times.push(time);
    say(`${service} ${round}/${rounds}: ${Math.round(time.holdfast)} ms, script ${Math.round(time.script)} ms`);
  }
  const added = times.map((each) => each.holdfast - each.script);
  return {
    value: Math.round(percentile(added, 0.5)),
    how: 'a deploy from the request to the end of its run, minus the same by a script; in turn, each of a new commit',
    detail: {
      added_ms: spread(added),
      script_ms: spread(times.map((time) => time.script)),
      holdfast_ms: spread(times.map((time) => time.holdfast)),
    },
  };
}
