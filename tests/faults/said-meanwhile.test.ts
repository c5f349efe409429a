import type { Deploy } from '../../domain/deploy/schemas.ts';
import { startBenchApi, type BenchApi } from '../support/bench-api.ts';
import { createDeployBench, shortWatch, webProcess, type DeployBench } from '../support/deploy-bench.ts';

const approval = { required: true, timeout_ms: 60_000, default: 'deny' } as const;
let bench: DeployBench;
let api: BenchApi;

beforeAll(async () => {
  bench = await createDeployBench(webProcess({ watch: shortWatch, policy: { approval } }));
  bench.startWorker();
  api = await startBenchApi(bench);
  await bench.repository.commit({ number: 1, wellForMs: null });
  expect((await bench.follow(await bench.deploy())).result.outcome).toBe('promoted');
}, 60_000);
afterAll(async () => {
  await api.close();
  await bench.close();
}, 60_000);

const override = (id: string, action: string): Promise<{ status: number; body: object }> =>
  api.ask('POST', `/v1/deploys/${id}/override`, {
    ...{ action, reason: 'seen by a person', expires_at: new Date(Date.now() + 600_000).toISOString() },
  });

test.each([
  ['a worker that runs hears it at once', false],
  ['a worker that was killed meanwhile hears it when it is back', true],
])(
  'D9 a rollback that waits for approval is allowed through the API, once: %s',
  async (_, killed) => {
    await bench.repository.commit({ number: 2, wellForMs: killed ? 301 : 300 });
    const id = await bench.deploy();
    const answers: unknown[] = [];
    const { result } = await bench.follow(id, async (phase) => {
      if (phase !== 'approval' || answers.length > 0) return;
      if (killed) await bench.killWorker();
      answers.push(await override(id, 'allow'));
      if (killed) bench.startWorker();
    });
    expect(answers).toMatchObject([
      killed
        ? { status: 503, body: { detail: expect.stringContaining('What was said is written down') as string } }
        : { status: 200, body: { accepted: true } },
    ]);
    expect(result).toMatchObject({
      ...{ outcome: 'rolled_back', rollback_policy_reason: 'override_allowed', rollback_succeeded: true },
    });
    expect(await bench.page()).toBe('Hello from version 1');
    const { body }: { body: Deploy } = await api.ask('GET', `/v1/deploys/${id}`);
    expect(body.overrides).toMatchObject([{ action: 'allow', actor: 'operator', accepted: true }]);
    const events = await bench.databases
      .ops`select actor, data from events where deploy_id = ${id} and type like 'override.%'`;
    expect(events).toMatchObject([{ actor: 'operator', data: { reason: 'seen by a person' } }]);
  },
  120_000,
);

test('D9 what comes too late is refused, and recorded as refused', async () => {
  const [deploy] = await bench.deploys.list({ service: bench.service, limit: 1 });
  const late = await override(deploy?.id ?? '', 'deny');
  expect(late).toMatchObject({ status: 409, body: { detail: expect.stringContaining('override_too_late') as string } });
  const { body }: { body: Deploy } = await api.ask('GET', `/v1/deploys/${deploy?.id ?? ''}`);
  expect(body.overrides.at(-1)).toMatchObject({ action: 'deny', accepted: false, refusal: 'override_too_late' });
});
