import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProbe, probe, toSample } from '../../../adapters/probe/probe.ts';
import type { InstanceState } from '../../../adapters/process/types.ts';
import { makeBox, service, until } from '../../support/box.ts';

const running: InstanceState = {
  exists: true,
  running: true,
  pid: 4711,
  started_at: new Date().toISOString(),
  restart_count: 0,
  exit_code: null,
  exit_signal: null,
};
const place = { cwd: '/', env: { PATH: process.env['PATH'] ?? '' } };
const timeout_ms = 2_000;
const node = (script: string) => ({ command: { argv: [process.execPath, '-e', script] } });

describe('process', () => {
  const dead = { ...running, running: false, pid: null };

  test.each([
    ['runs', running, true, 'process_running', null],
    ['is not there', { ...dead, exists: false }, false, 'process_not_running', null],
    ['ended nobody knows how', dead, false, 'process_not_running', null],
    ['exited', { ...dead, exit_code: 7 }, false, 'process_exited:7', 7],
    ['exited well', { ...dead, exit_code: 0 }, false, 'process_exited:0', 0],
    ['was killed', { ...dead, exit_signal: 'SIGKILL' }, false, 'process_exited:137', 137],
  ])('%s', async (_name, state, healthy, reason, returncode) => {
    const result = await probe(state, { probes: { timeout_ms } }, place);
    expect(result).toMatchObject({
      healthy,
      running: state.running,
      pid: state.pid,
      probe: 'process',
      reason,
      returncode,
    });
    expect(result).toMatchObject({ http_status: null, command: null, checked_at: expect.any(String) as string });
  });

  test('nothing else is asked of one that does not run', async () => {
    const probes = { timeout_ms, ...node('process.exit(0)'), http: { url: 'http://127.0.0.1:9/' } };
    expect(await probe(dead, { probes }, place)).toMatchObject({ probe: 'process', reason: 'process_not_running' });
  });
});

describe('command', () => {
  test.each([
    ['well', 'process.exit(0)', true, 'command_ok', 0],
    ['ill', 'process.exit(3)', false, 'command_exit:3', 3],
    ['killed', 'process.kill(process.pid, "SIGTERM")', false, 'command_exit:143', 143],
    ['too slow', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)', false, 'command_timeout', null],
  ])('%s', async (_name, script, healthy, reason, returncode) => {
    const { command } = node(script);
    const result = await probe(running, { probes: { timeout_ms: 500, command } }, place);
    expect(result).toMatchObject({
      healthy,
      running: true,
      probe: 'command',
      reason,
      returncode,
      command: command.argv,
    });
  });

  test('one that cannot be started', async () => {
    const probes = { timeout_ms, command: { argv: ['/no/such/check'] } };
    expect(await probe(running, { probes }, place)).toMatchObject({ healthy: false, reason: 'command_error:ENOENT' });
  });

  test('comes before HTTP, and no shell reads it', async () => {
    const argv = [process.execPath, '-e', 'process.exit(process.argv[1] === "$HOME; exit 1" ? 0 : 1)', '$HOME; exit 1'];
    const probes = { timeout_ms, command: { argv }, http: { url: 'http://127.0.0.1:9/' } };
    expect(await probe(running, { probes }, place)).toMatchObject({ probe: 'command', reason: 'command_ok' });
  });

  test('one that is called off is no finding', async () => {
    const probes = { timeout_ms: 60_000, ...node('setInterval(() => {}, 1000)') };
    await expect(probe(running, { probes, signal: AbortSignal.timeout(200) }, place)).rejects.toThrow();
  });
});

describe('http', () => {
  const seen: IncomingMessage[] = [];
  const answers: Record<string, (response: ServerResponse) => void> = {
    '/ok': (response) => response.end('fine'),
    '/moved': (response) => response.writeHead(302, { location: '/broken' }).end(),
    '/broken': (response) => response.writeHead(503, { 'content-type': 'application/json' }).end('{"build_sha":"abc"}'),
    '/missing': (response) => response.writeHead(404).end(),
    '/build': (response) => response.end(JSON.stringify({ status: 'ok', build_sha: 'f00d' })),
    '/odd-build': (response) => response.end('{"build_sha": 5}'),
    '/not-json': (response) => response.end('{ build_sha'),
    '/long': (response) => response.end(`{"build_sha":"f00d","rest":"${'x'.repeat(200_000)}"}`),
    '/silent': () => undefined,
    '/stalls': (response) => response.write('{'),
    '/endless': (response) => {
      const more = setInterval(() => response.write('x'.repeat(50_000)), 1);
      response.on('close', () => clearInterval(more));
    },
    '/hangs-up': (response) => response.destroy(),
  };
  const server = createServer((request, response) => {
    seen.push(request);
    answers[request.url ?? '']?.(response);
  });
  let base: string;
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await until(() => server.listening);
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test.each([
    ['/ok', true, 'http_ok', 200, null],
    ['/moved', true, 'http_ok', 302, null],
    ['/broken', false, 'http_status:503', 503, 'abc'],
    ['/missing', false, 'http_status:404', 404, null],
    ['/build', true, 'http_ok', 200, 'f00d'],
    ['/odd-build', true, 'http_ok', 200, null],
    ['/not-json', true, 'http_ok', 200, null],
    ['/long', true, 'http_ok', 200, null],
    ['/endless', true, 'http_ok', 200, null],
    ['/silent', false, 'http_error', null, null],
    ['/stalls', false, 'http_error', 200, null],
    ['/hangs-up', false, 'http_error', null, null],
  ])('%s', async (path, healthy, reason, http_status, reported_build_sha) => {
    const result = await probe(running, { probes: { timeout_ms: 500, http: { url: base + path } } }, place);
    expect(result).toMatchObject({ healthy, running: true, pid: 4711, probe: 'http', reason, http_status });
    expect(result).toMatchObject({ returncode: null, command: null, reported_build_sha });
  });

  test('nobody listens', async () => {
    const probes = { timeout_ms, http: { url: 'http://127.0.0.1:1/' } };
    expect(await probe(running, { probes }, place)).toMatchObject({
      healthy: false,
      reason: 'http_error',
      http_status: null,
    });
  });

  test('no connection is kept for the next one', async () => {
    await probe(running, { probes: { timeout_ms, http: { url: `${base}/ok` } } }, place);
    expect(seen.at(-1)?.headers.connection).toBe('close');
  });

  test('one that is called off is no finding', async () => {
    const probes = { timeout_ms: 60_000, http: { url: `${base}/silent` } };
    await expect(probe(running, { probes, signal: AbortSignal.timeout(100) }, place)).rejects.toThrow();
  });

  test('a sample says whether anything answered', async () => {
    const sampleOf = async (path: string) =>
      toSample(running, await probe(running, { probes: { timeout_ms: 300, http: { url: base + path } } }, place), 5);
    expect(await sampleOf('/broken')).toEqual({
      at_ms: 5,
      running: true,
      pid: 4711,
      restart_count: 0,
      exit_code: null,
      exit_signal: null,
      healthy: false,
      reason: 'http_status:503',
      answered: true,
      reported_build_sha: 'abc',
    });
    expect(await sampleOf('/silent')).toMatchObject({ answered: false, reason: 'http_error' });
  });
});

test('a sample joins what the driver knows with the probe, which runs where the program runs', async () => {
  const box = makeBox();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-probe-'));
  writeFileSync(join(folder, 'check.js'), 'process.exit(process.env.SECRET ? 9 : 0)');
  const sample = createProbe(box.processes, { ...process.env, SECRET: 'of the worker' });
  const probes = { timeout_ms, command: { argv: [process.execPath, 'check.js'] } };
  const instance = box.instance();

  expect(await sample({ service, instance, probes })).toMatchObject({ running: false, reason: 'process_not_running' });
  const script = 'process.on("SIGTERM", () => process.exit(6)); setInterval(() => {}, 1000); console.log("up")';
  const { pid } = await box.processes.start(box.request(instance, script, { cwd: folder }));
  await until(() => box.log(instance) === 'up\n');
  const well = { running: true, pid, healthy: true, reason: 'command_ok', answered: true, restart_count: 0 };
  expect(await sample({ service, instance, probes })).toMatchObject(well);

  process.kill(pid ?? 0, 'SIGTERM');
  await until(async () => !(await box.processes.inspect(service, instance)).running);
  const ended = {
    running: false,
    pid: null,
    healthy: false,
    reason: 'process_exited:6',
    exit_code: 6,
    answered: false,
  };
  for (let look = 0; look < 2; look += 1) expect(await sample({ service, instance, probes })).toMatchObject(ended);
  rmSync(folder, { recursive: true });
  await box.close();
});
