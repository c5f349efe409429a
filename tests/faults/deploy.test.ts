import { createDeployBench, type DeployBench } from '../support/deploy-bench.ts';
import { createRandom, fullSize, seed } from '../support/proof-size.ts';

let bench: DeployBench;
let good: string;
const random = createRandom();

beforeAll(async () => {
  process.stdout.write(`deploy faults: ${fullSize ? 'full' : 'CI'} size, seed ${seed}\n`);
  bench = await createDeployBench({ build: [{ argv: ['sleep', '0.3'], timeout_ms: 10_000 }] });
  bench.startWorker();
  good = await bench.repository.commit({ number: 1, wellForMs: null });
  expect((await bench.follow(await bench.deploy())).result.outcome).toBe('promoted');
}, 60_000);
afterAll(() => bench.close(), 30_000);

/** Nothing stranded, nothing twice. */
async function expectOneServiceAndNoRemains(deployId: string, answer: string): Promise<void> {
  expect(await bench.processes.alive(bench.service)).toHaveLength(1);
  expect(await bench.page()).toBe(answer);
  expect(await bench.databases.ops`select * from locks`).toHaveLength(0);
  const events = await bench.databases.ops<{ type: string }[]>`select type from events where deploy_id = ${deployId}`;
  expect(events.filter(({ type }) => type === 'deploy.started')).toHaveLength(1);
  expect(events.filter(({ type }) => type === 'deploy.completed')).toHaveLength(1);
}

/** The worker dies in every phase that the deploy goes through, a random moment after the phase began. */
async function deployUnderFire(): Promise<{ id: string; outcome: string | null; killedIn: string[] }> {
  const killedIn: string[] = [];
  const id = await bench.deploy();
  const { result } = await bench.follow(id, async (phase) => {
    await new Promise((resolve) => setTimeout(resolve, random() * 250));
    await bench.killWorker();
    bench.startWorker();
    killedIn.push(phase);
  });
  return { id, outcome: result.outcome, killedIn };
}

const rounds = fullSize ? 4 : 1;

describe('SIGKILL of the worker', () => {
  for (let round = 1; round <= rounds; round += 1) {
    test(`a bad deploy that loses its worker in every phase is rolled back, with one process alive (${round})`, async () => {
      await bench.repository.commit({ number: 100 + round, wellForMs: 1_000 });
      const { id, outcome, killedIn } = await deployUnderFire();
      expect(outcome).toBe('rolled_back');
      expect(killedIn).toEqual(expect.arrayContaining(['build', 'watch', 'rollback_watch']));
      expect(killedIn.length).toBeGreaterThanOrEqual(6);
      expect((await bench.services.find(bench.service))?.desired.release_id).toBe(good);
      await expectOneServiceAndNoRemains(id, 'Hello from version 1');
    }, 180_000);

    test(`a good deploy that loses its worker in every phase is promoted, with one process alive (${round})`, async () => {
      good = await bench.repository.commit({ number: 1, wellForMs: null });
      const { id, outcome, killedIn } = await deployUnderFire();
      expect(outcome).toBe('promoted');
      expect(killedIn).toEqual(expect.arrayContaining(['build', 'watch']));
      await expectOneServiceAndNoRemains(id, 'Hello from version 1');
    }, 180_000);
  }

  test('a service outlives the worker that started it, and the next worker finds it', async () => {
    const [before] = await bench.processes.alive(bench.service);
    await bench.killWorker();
    expect(await bench.page()).toBe('Hello from version 1');
    bench.startWorker();
    await bench.repository.commit({ number: 3, wellForMs: null });
    expect((await bench.follow(await bench.deploy())).result.outcome).toBe('promoted');
    const after = await bench.processes.alive(bench.service);
    expect(after).toHaveLength(1);
    expect(after[0]?.pid).not.toBe(before?.pid);
    expect(await bench.page()).toBe('Hello from version 3');
  }, 60_000);
});
