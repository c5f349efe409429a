import { setTimeout as sleep } from 'node:timers/promises';
import { createDocker } from '../../adapters/docker/connection.ts';
import type { Fault } from '../support/bench-worker.ts';
import { createDeployBench, type DeployBench, type MakeService } from '../support/deploy-bench.ts';
import { describeDocker, dockerSocket } from '../support/docker.ts';
import { fullSize } from '../support/proof-size.ts';
import { behavingContainer } from '../support/web-releases.ts';
import { expectNothingTwice } from './kill-points.ts';

const watch = { startup_ms: 15_000, stable_ms: 1_500, window_ms: 20_000, period_ms: 100, unhealthy_ms: 500 };
const made = behavingContainer({ watch });

/** The same service with a port of its own for each instance, behind Holdfast's forwarder. */
const behindSwitch: MakeService = async (home) => {
  const { spec, ...rest } = await made.make(home);
  const port = Number(new URL(rest.url).port);
  return {
    ...rest,
    spec: {
      ...spec,
      container: { ...spec.container, ports: [{ container: 8080, host: '{port}' }] },
      probes: { http: { url: 'http://127.0.0.1:{port}/cgi-bin/health' } },
      traffic: { listen: { port }, drain_ms: 3_000 },
    },
  };
};

/** From the moment at which the world is sent to the new one to that at which the old one is gone. */
const points: readonly Fault[] = [
  { activity: 'pointTraffic', nth: 1, when: 'during' },
  { activity: 'pointTraffic', nth: 1, when: 'after' },
  { activity: 'drainTraffic', nth: 1, when: 'before' },
  { activity: 'drainTraffic', nth: 1, when: 'after' },
  { activity: 'stopOthers', nth: 1, when: 'before' },
  { activity: 'stopOthers', nth: 1, when: 'during' },
];
const faults = fullSize
  ? points
  : points.filter(({ activity, when }) => activity === 'pointTraffic' && when === 'after');

describeDocker('start-first, docker', () => {
  let bench: DeployBench;
  let number = 0;

  beforeAll(async () => {
    bench = await createDeployBench(behindSwitch);
    bench.startWorker();
    await commit();
    const { result } = await bench.follow(await bench.deploy());
    expect(result).toMatchObject({ outcome: 'promoted', cut_over: 'start_first' });
  }, 120_000);
  afterAll(() => bench.close(), 60_000);

  const commit = () => bench.repository.commit({ number: (number += 1), wellForMs: null });

  /** What a client is told that asks all the time, each time over a connection of its own, while `work` goes on. */
  async function asked(work: () => Promise<void>): Promise<readonly string[]> {
    const answers: string[] = [];
    let over = false;
    const ask = async () => {
      while (!over) {
        const told = await fetch(bench.url, { headers: { connection: 'close' } }).then(
          async (response) => `${response.status} ${(await response.text()).trim()}`,
          (error: unknown) => String(error),
        );
        answers.push(told);
        await sleep(20);
      }
    };
    const asking = [ask(), ask()];
    await work().finally(() => (over = true));
    await Promise.all(asking);
    return answers;
  }

  /** All containers of the service, also those that have ended. */
  async function containers(): Promise<readonly string[]> {
    const { api } = createDocker({ socketPath: dockerSocket() });
    const found = await api.listContainers({ all: true, filters: { label: [`holdfast.service=${bench.service}`] } });
    return found.map(({ Labels }) => Labels['holdfast.instance'] ?? '');
  }

  const versions = (...numbers: number[]) => numbers.map((each) => `200 Hello from version ${each}`);

  test('D11 nobody is turned away while the new container takes over; the old one is drained and removed', async () => {
    await commit();
    let id = '';
    const answers = await asked(async () => {
      id = await bench.deploy();
      const { result } = await bench.follow(id);
      expect(result).toMatchObject({ outcome: 'promoted', cut_over: 'start_first' });
    });
    // Not one failed, and nobody was sent back to the old one.
    expect([...new Set(answers)]).toEqual(versions(number - 1, number));
    expect(await containers()).toEqual([`${id}.candidate`]);
    const checks = await bench.databases.ops<{ check: string }[]>`
      select "check" from evidence where record_id = ${id} and "check" in ('switch', 'retired') and ok order by id`;
    expect(checks.map(({ check }) => check)).toEqual(['switch', 'retired']);
    await expectNothingTwice(bench, id, `Hello from version ${number}`);
  }, 60_000);

  test(`D11 a worker that dies between the switch and the end of the old one, ${faults.length} times`, async () => {
    await commit();
    let id = '';
    let deaths: readonly { activity: string; when: string }[] = [];
    const answers = await asked(async () => {
      deaths = await bench.dieAt(faults, async () => {
        id = await bench.deploy();
        expect((await bench.follow(id)).result.outcome).toBe('promoted');
      });
    });
    expect(deaths.map(({ activity, when }) => `${activity} ${when}`).sort()).toEqual(
      faults.map(({ activity, nth, when }) => `${activity}#${nth} ${when}`).sort(),
    );
    expect([...new Set(answers)]).toEqual(versions(number - 1, number));
    expect(await containers()).toEqual([`${id}.candidate`]);
    await expectNothingTwice(bench, id, `Hello from version ${number}`);
  }, 180_000);

  test('D8 D11 what is never well is discarded, and nobody ever saw it', async () => {
    const before = await bench.alive();
    made.release(bench.repository, { number: 1_000, behaviour: 'exits_at_once' });
    const answers = await asked(async () => {
      const { result } = await bench.follow(await bench.deploy());
      expect(result).toMatchObject({ outcome: 'discarded', failure_class: 'deploy_failure' });
      expect(result.rollback_performed).toBe(false);
    });
    expect([...new Set(answers)]).toEqual(versions(number));
    expect(await bench.alive()).toEqual(before);
  }, 60_000);

  test('D10 D11 what dies with the world on it gives way to the old container, which was never stopped', async () => {
    const before = await bench.alive();
    // Well for long enough to be sent the world, and not for long enough to keep it.
    made.release(bench.repository, { number: 1_001, behaviour: 'dies', livesForMs: 2_800 });
    const { result } = await bench.follow(await bench.deploy());
    expect(result).toMatchObject({
      outcome: 'rolled_back',
      failure_class: 'watchdog_failure',
      cut_over: 'start_first',
    });
    expect(await bench.alive()).toEqual(before);
    expect(await bench.page()).toBe(`Hello from version ${number}`);
  }, 60_000);
});
