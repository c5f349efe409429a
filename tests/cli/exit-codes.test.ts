import { serviceNameOfItsOwn } from '../api/start-api.ts';
import { startApiCli, writtenDeploy, type ApiCli } from './api-cli.ts';
import { answerOf, expectFailure } from './run-cli.ts';

// 1 without an API, 2 and 8 are in usage.test.ts; 130 is in follow.test.ts.

let bench: ApiCli;
beforeAll(async () => (bench = await startApiCli()));
afterAll(() => bench.close());

const cli = (...args: string[]) => bench.cli.run(args);

test('O3 0: it was done', async () => {
  const { exitCode, stderr } = await cli('service', 'list');
  expect([exitCode, stderr]).toEqual([0, '']);
});

test('O3 2: what the API does not understand, and where', async () => {
  expectFailure(await cli('service', 'show', 'WEB'), 2, /lower-case/, /holdfast/);
  const end = await bench.cli.run(['service', 'register', 'web', '--file', '-'], { input: '{"source":{}}' });
  expectFailure(end, 2, /source\.git/, /holdfast/);
});

test('O3 2: the same key for another request', async () => {
  const name = await bench.service();
  await cli('deploy', name, '--idempotency-key', 'reused');
  const end = await cli('deploy', name, '--idempotency-key', 'reused', '--ref', 'other');
  expectFailure(end, 2, /Idempotency-Key/, /holdfast/);
});

test('O3 4: without a token, with a wrong one, and with a role that is too weak', async () => {
  for (const [HOLDFAST_TOKEN, status] of [
    ['', 401],
    ['hf_000000000000_no', 401],
    [bench.api.tokens.viewer, 403],
  ] as const) {
    const end = await bench.cli.run(['token', 'list', '--json'], { env: { HOLDFAST_TOKEN } });
    expectFailure(end, 4, /./, /HOLDFAST_TOKEN|holdfast token create/);
    expect(answerOf(end)).toMatchObject({ status });
  }
});

test('O3 5: there is no such thing', async () => {
  const name = serviceNameOfItsOwn();
  expectFailure(await cli('service', 'show', name), 5, new RegExp(name), /holdfast service register/);
  const id = '00000000-0000-4000-8000-000000000000';
  expectFailure(await cli('deploys', 'show', id, '--follow'), 5, new RegExp(id), /holdfast/);
});

test('O3 6: another run is in the way, and is named', async () => {
  const name = await bench.service();
  const first = (await cli('deploy', name)).stdout.trim();
  const run = (await bench.api.temporal.client.workflow.getHandle(`deploy/${name}`).describe()).runId;
  expectFailure(await cli('deploy', name), 6, new RegExp(run), new RegExp(`holdfast deploys show ${first}`));
});

test('O3 7: not done in time; the run goes on', async () => {
  const { id, deploys } = await writtenDeploy(bench);
  const end = await cli('deploys', 'show', id, '--follow', '--timeout', '1s');
  expectFailure(end, 7, /not done in time/, new RegExp(`holdfast deploys show ${id} --follow`));
  expect((await deploys.find(id))?.closed_at).toBeNull();
});

describe('what a deploy came to', () => {
  test.each([
    ['promoted_degraded', 3],
    ['refused', 6],
    ['rollback_denied', 6],
    ['rolled_back', 1],
    ['discarded', 1],
    ['rollback_failed', 1],
    ['stopped_no_target', 1],
    ['aborted', 1],
  ] as const)('O3 %s is %i', async (outcome, code) => {
    const { id, service, close } = await writtenDeploy(bench);
    await close({ outcome, failure_reason: 'it broke' });
    const end = await cli('deploys', 'show', id, '--follow');
    expect(end.stdout).toBe(`${service}: ${outcome}\n`);
    expectFailure(end, code, new RegExp(`${outcome} \\(it broke\\)`), new RegExp(`holdfast deploys show ${id}`));
  });

  test('O3 promoted is 0', async () => {
    const { id, close } = await writtenDeploy(bench);
    await close({ outcome: 'promoted' });
    expect((await cli('deploys', 'show', id, '--follow')).exitCode).toBe(0);
  });
});
