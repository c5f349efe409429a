import { killPlans, type SideEffect } from './kill-plans.ts';
import { createDeployBench, type DeployBench, type MakeService } from '../support/deploy-bench.ts';

/** Everything that a bad deploy and its rollback change, in the order in which they do. */
const sideEffects: readonly SideEffect[] = [
  ['buildRelease', 1],
  ['placeInstance', 1],
  ['setDesired', 1],
  ['stopOthers', 1],
  ['startInstance', 1],
  ['setStanding', 1],
  ['placeInstance', 2],
  ['setDesired', 2],
  ['stopOthers', 2],
  ['startInstance', 2],
];
/** Issue 4, proof 1, for one driver. In CI the worker dies at so many points of a deploy. */
export function provesKills(driver: string, make: MakeService, pointsInCi: number): void {
  describe(`SIGKILL of the worker, ${driver}`, () => {
    let bench: DeployBench;
    let good: string;
    let number = 1;

    beforeAll(async () => {
      bench = await createDeployBench(make);
      bench.startWorker();
      good = await bench.repository.commit({ number, wellForMs: null });
      expect((await bench.follow(await bench.deploy())).result.outcome).toBe('promoted');
    }, 120_000);
    afterAll(() => bench.close(), 60_000);

    test.each(killPlans(sideEffects, pointsInCi))(
      'D10 a bad deploy whose worker dies %s is rolled back, with nothing twice and nothing stranded',
      async (_, faults) => {
        await bench.repository.commit({ number: (number += 1), wellForMs: 1_000 });
        let id = '';
        const deaths = await bench.dieAt(faults, async () => {
          id = await bench.deploy();
          expect((await bench.follow(id)).result.outcome).toBe('rolled_back');
        });
        expect(deaths.map(({ activity, when }) => `${activity} ${when}`).sort()).toEqual(
          faults.map(({ activity, nth, when }) => `${activity}#${nth} ${when}`).sort(),
        );
        // Resumed, each time, within 30 s of the worker's death.
        expect(deaths.filter(({ resumed_after_ms }) => (resumed_after_ms ?? Infinity) > 30_000)).toEqual([]);
        expect((await bench.services.find(bench.service))?.desired.release_id).toBe(good);
        await expectNothingTwice(bench, id, 'Hello from version 1');
      },
      600_000,
    );

    test('D1 a service outlives the worker that started it, and the next worker finds it', async () => {
      const before = await bench.alive();
      await bench.killWorker();
      expect(await bench.page()).toBe('Hello from version 1');
      bench.startWorker();
      good = await bench.repository.commit({ number: (number += 1), wellForMs: null });
      expect((await bench.follow(await bench.deploy())).result.outcome).toBe('promoted');
      const after = await bench.alive();
      expect(after).toHaveLength(1);
      expect(after).not.toEqual(before);
      expect(await bench.page()).toBe(`Hello from version ${number}`);
    }, 120_000);
  });
}

/** One instance runs, each was started once, no lock is left, and the audit says everything once. */
export async function expectNothingTwice(bench: DeployBench, deployId: string, answer: string): Promise<void> {
  expect(await bench.alive()).toHaveLength(1);
  expect(await bench.page()).toBe(answer);
  expect(await bench.databases.ops`select * from locks where workflow_id like 'deploy/%'`).toHaveLength(0);
  const events = await bench.databases.ops<{ type: string }[]>`select type from events where deploy_id = ${deployId}`;
  expect(events.filter(({ type }) => type === 'deploy.started')).toHaveLength(1);
  expect(events.filter(({ type }) => type === 'deploy.completed')).toHaveLength(1);
  for (const [epoch, starts] of await startsByEpoch(bench)) expect([epoch, starts]).toEqual([epoch, 1]);
}

/** How often each instance said that it came up, by its log. */
async function startsByEpoch(bench: DeployBench): Promise<Map<string, number>> {
  const starts = new Map<string, number>();
  for (const row of await bench.instances.list(bench.service)) {
    const { logs } = bench.box.drivers[row.spec.driver];
    const page = await logs?.tail(row, 1_000);
    const said = page?.lines.filter((line) => line.includes('listens on')).length ?? 0;
    if (said > 0) starts.set(row.instance, said);
  }
  expect(starts.size).toBeGreaterThan(0);
  return starts;
}
