import getPort from 'get-port';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createProcessDriver } from '../../adapters/process/driver.ts';
import { deploySchema, type Deploy } from '../../domain/deploy/schemas.ts';
import { loadConfig } from '../../infra/config.ts';
import { createWebRepository, type WebRepository } from '../../infra/demo/web-service.ts';
import { packageRoot } from '../../infra/package-root.ts';
import type { Report } from '../../infra/stack/report.ts';
import { startStack, type Stack } from '../../infra/stack/stack.ts';
import { fullSize } from '../support/proof-size.ts';
import { removeTree } from '../support/remove-tree.ts';

const service = 'web';
/** What is killed at once: each by itself, but in CI those two together that a deploy does not need. */
const losses: readonly (readonly string[])[] = fullSize
  ? [['postgres'], ['temporal'], ['qdrant'], ['worker'], ['api']]
  : [['postgres'], ['temporal'], ['worker'], ['qdrant', 'api']];
let home: string;
let stack: Stack;
let token: string;
let port: number;
let repository: WebRepository;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-servers-'));
  await chmod(home, 0o711);
  const usual = loadConfig();
  const config = {
    ...usual,
    home,
    temporal: { ...usual.temporal, address: null },
    postgres: { ...usual.postgres, url: null },
    qdrant: { ...usual.qdrant, url: null },
    api: { ...usual.api, port: await getPort() },
  };
  const quiet: Report = { say: () => undefined, step: (_, work) => work() };
  stack = await startStack(config, quiet, { apps: true, signal: new AbortController().signal });
  token = stack.token?.token ?? '';
  port = await getPort();
  repository = await createWebRepository(join(home, 'repository'));
  await ask('PUT', `/v1/services/${service}`, {
    source: { git: join(home, 'repository'), ref: 'main' },
    run: { argv: [process.execPath, 'server.mjs'], env: { PORT: String(port) } },
    probes: { http: { url: `http://127.0.0.1:${port}/health` } },
    watch: { startup_ms: 20_000, stable_ms: 2_000, window_ms: 30_000, period_ms: 100, unhealthy_ms: 1_000 },
  });
  await repository.commit({ number: 1, wellForMs: null });
  expect((await deployThrough()).result.outcome).toBe('promoted');
}, 120_000);

afterAll(async () => {
  await stack.stop();
  removeTree(home);
}, 60_000);

function alive(): Promise<readonly unknown[]> {
  const root = join(home, 'services');
  return createProcessDriver({ root, keeperPath: join(packageRoot, 'dist/adapters/process/keeper.js'), env: {} }).alive(
    service,
  );
}

async function ask(method: string, path: string, body?: unknown): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(`${stack.api_url ?? ''}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, answer: await response.json() };
}

/** Deploys, calls `inWatch` once the watch has begun, and rides through an API that answers 503 meanwhile. */
async function deployThrough(inWatch: () => void = () => undefined): Promise<Deploy> {
  const started = deploySchema.parse((await ask('POST', `/v1/services/${service}/deploys`, {})).answer);
  let struck = false;
  const deadline = Date.now() + 110_000;
  while (Date.now() < deadline) {
    await sleep(50);
    const { status, answer } = await ask('GET', `/v1/deploys/${started.id}`).catch(() => ({ status: 0, answer: null }));
    if (status !== 200) continue;
    const deploy = deploySchema.parse(answer);
    if (deploy.closed_at !== null) return deploy;
    if (deploy.phase === 'watch' && !struck) {
      struck = true;
      inWatch();
    }
  }
  throw new Error('the deploy did not end');
}

/** Until the audit says so: from then on nothing is in the way of a deploy. */
async function stopThrough(): Promise<void> {
  const stops = async (): Promise<number> => {
    const { answer } = await ask('GET', `/v1/events?limit=200&subject=service/${service}`);
    return (answer as { items: { type: string }[] }).items.filter(({ type }) => type === 'service.stopped').length;
  };
  const before = await stops();
  expect((await ask('POST', `/v1/services/${service}/stop`, {})).status).toBe(202);
  while ((await stops()) === before) await sleep(50);
  expect(await alive()).toHaveLength(0);
}

function kill(part: string): void {
  const pid = stack.parts.find(({ name }) => name === part)?.pid();
  if (pid == null) throw new Error(`${part} does not run`);
  process.kill(pid, 'SIGKILL');
}

describe('SIGKILL of a server in the middle of a deploy', () => {
  test.each(losses.map((parts) => ({ parts })))(
    'a bad deploy that loses $parts in its watch is rolled back all the same, with one process alive',
    async ({ parts }) => {
      await repository.commit({ number: 2, wellForMs: 1_000 + parts.join().length });
      const { result } = await deployThrough(() => {
        for (const part of parts) kill(part);
      });
      expect(result).toMatchObject({
        outcome: 'rolled_back',
        failure_class: 'health_failure',
        rollback_succeeded: true,
      });
      expect(await alive()).toHaveLength(1);
      const page = await fetch(`http://127.0.0.1:${port}/`);
      expect(await page.text()).toBe('Hello from version 1\n');
    },
    120_000,
  );

  test('what was recorded before a server was killed is there after it', async () => {
    const { answer } = await ask('GET', `/v1/services/${service}/deploys`);
    const outcomes = (answer as { items: Deploy[] }).items.map(({ result }) => result.outcome);
    expect(outcomes).toEqual([...Array<string>(losses.length).fill('rolled_back'), 'promoted']);
  });

  test('a stopped service has no process left, and the next deploy brings it back', async () => {
    await stopThrough();
    expect((await ask('GET', `/v1/services/${service}`)).answer).toMatchObject({ desired: { state: 'stopped' } });
    await repository.commit({ number: 3, wellForMs: null });
    expect((await deployThrough()).result.outcome).toBe('promoted');
    await stopThrough();
  }, 60_000);
});
