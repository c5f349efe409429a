import { setTimeout as sleep } from 'node:timers/promises';
import type { Deploy } from '../../domain/deploy/schemas.ts';
import { startBenchApi, type BenchApi } from '../support/bench-api.ts';
import { createDeployBench, webProcess, type DeployBench } from '../support/deploy-bench.ts';
import { createRandom, fullSize, seed } from '../support/proof-size.ts';

const watch = {
  ...{ startup_ms: 15_000, stable_ms: 700, window_ms: 20_000, period_ms: 100, unhealthy_ms: 500 },
  ...{ idle_period_ms: 100, restart: { burst: 3, delay_ms: 100, window_ms: 10_000 } },
};
const random = createRandom();
let bench: DeployBench;
let api: BenchApi;

beforeAll(async () => {
  bench = await createDeployBench(webProcess({ watch }));
  bench.startWorker();
  api = await startBenchApi(bench);
  process.stdout.write(`races: ${fullSize ? 'full' : 'CI'} size, seed ${seed}\n`);
}, 60_000);
afterAll(async () => {
  await api.close();
  await bench.close();
}, 60_000);

const ask = (key: string): Promise<{ status: number; body: Deploy & { run_id: string; workflow_id: string } }> =>
  api.ask('POST', `/v1/services/${bench.service}/deploys`, {}, { 'idempotency-key': key });

test('D4 of 50 deploy requests at once one changes things; its key gets its answer, the others are told which run is in the way', async () => {
  await bench.repository.commit({ number: 1, wellForMs: null });
  const keys = Array.from({ length: 50 }, (_, i) => `key-${i % 45}`);
  const answers = await Promise.all(keys.map(async (key) => ({ key, ...(await ask(key)) })));
  const started = answers.filter(({ status }) => status === 202);
  const [first] = started;
  expect(first).toBeDefined();
  expect(new Set(started.map(({ key }) => key)).size).toBe(1);
  expect(new Set(started.map(({ body }) => body.id)).size).toBe(1);
  for (const { status, body } of answers.filter((each) => each.status !== 202)) {
    expect(status).toBe(409);
    expect([body.workflow_id, body.run_id]).toEqual([`deploy/${bench.service}`, first?.body.run_id]);
  }
  const { result } = await bench.follow(first?.body.id ?? '');
  expect(result.outcome).toBe('promoted');
  // Afterwards, and for ever, the same answer.
  expect((await ask(first?.key ?? '')).body.id).toBe(first?.body.id);
  expect(await bench.deploys.list({ service: bench.service, limit: 100 })).toHaveLength(1);
  expect(await bench.alive()).toHaveLength(1);
}, 60_000);

const rounds = fullSize ? 12 : 3;

test(`D6 a rollback by the watch never overtakes what an operator deploys (${rounds} rounds)`, async () => {
  for (let round = 1; round <= rounds; round += 1) {
    await bench.repository.commit({ number: 10 * round, wellForMs: null });
    expect((await bench.follow(await bench.deploy())).result.outcome).toBe('promoted');
    // Young, it dies; the watch hands over at about the moment at which an operator deploys something else.
    const wanted = await bench.repository.commit({ number: 10 * round + 1, wellForMs: null });
    const running = (await bench.services.find(bench.service))?.desired.instance ?? '';
    const { pid } = await bench.box.drivers.process.inspect(await instanceOf(running));
    process.kill(pid ?? 0, 'SIGKILL');
    await sleep(random() * 400);
    const asked = await ask(`race-${round}`);
    await quiet();

    const deploys = await bench.deploys.list({ service: bench.service, limit: 3 });
    const desired = (await bench.services.find(bench.service))?.desired;
    if (asked.status === 202) {
      // The operator was accepted: whatever the watch thought, this is what runs.
      expect(desired).toMatchObject({ release_id: wanted, state: 'running' });
      const later = deploys.filter(({ actor, requested_at, result }) => {
        const mine = deploys.find(({ id }) => id === asked.body.id);
        return actor.startsWith('watch/') && requested_at > (mine?.requested_at ?? 0) && result.rollback_performed;
      });
      expect(later).toEqual([]);
    } else {
      expect(asked.status).toBe(409);
      expect(deploys[0]).toMatchObject({ actor: `watch/${bench.service}`, result: { outcome: 'rolled_back' } });
    }
    expect(await bench.alive()).toHaveLength(1);
    expect((await bench.services.find(bench.service))?.safe_mode).toBe(false);
  }
}, 600_000);

async function instanceOf(name: string) {
  const found = await bench.instances.find(name);
  if (found === null) throw new Error(`no instance ${name}`);
  return found;
}

/** Until no deploy is open, and none has been for a moment. */
async function quiet(): Promise<void> {
  for (let calm = 0; calm < 10;) {
    await sleep(100);
    const open = (await bench.deploys.list({ service: bench.service, limit: 20 })).some(
      ({ closed_at }) => closed_at === null,
    );
    const runs = (await bench.alive()).length === 1;
    calm = open || !runs ? 0 : calm + 1;
  }
}
