import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkHealth, probeDependency, sample, type SampleOrder } from '../../../adapters/probe/sampler.ts';
import { inheritedEnv } from '../../../adapters/process/inherited-env.ts';
import { runCommand } from '../../../adapters/process/run-command.ts';
import { probeResultSchema } from '../../../domain/deploy/probe.ts';
import type { InstanceState } from '../../../domain/deploy/instance.ts';
import type { ServiceSpecInput } from '../../../domain/service.ts';
import { instanceOf, specOf, until } from '../../support/box.ts';

const running: InstanceState = {
  exists: true,
  running: true,
  pid: 4711,
  container_id: null,
  started_at: '2026-01-01T00:00:00.000Z',
  restart_count: 0,
  exit_code: null,
  exit_signal: null,
  oom_killed: false,
};
const timeout_ms = 2_000;
const node = (script: string) => ({ command: { argv: [process.execPath, '-e', script] } });

/** A driver that knows this of its instance, and runs probes for real. */
function order(
  state: InstanceState,
  probes: ServiceSpecInput['probes'],
  { via = 'instance', signal = new AbortController().signal, ...more }: Partial<SampleOrder & ServiceSpecInput> = {},
): SampleOrder {
  const run = { argv: ['x', more.traffic === undefined ? '' : '{port}'] };
  const spec = specOf({ source: { git: '/repository' }, run, probes, ...more });
  return {
    ...{ via, signal, instance: instanceOf(spec) },
    driver: {
      inspect: () => Promise.resolve(state),
      runProbe: (_, argv, options) =>
        runCommand(argv, { ...options, cwd: '/', env: inheritedEnv(process.env), grace_ms: 0 }),
    },
  };
}

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
    const result = await checkHealth(order(state, { timeout_ms }));
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
    expect(await checkHealth(order(dead, probes))).toMatchObject({ probe: 'process', reason: 'process_not_running' });
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
    const result = await checkHealth(order(running, { timeout_ms: 500, command }));
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
    expect(await checkHealth(order(running, probes))).toMatchObject({ healthy: false, reason: 'command_error:ENOENT' });
  });

  test('comes before HTTP, and no shell reads it', async () => {
    const argv = [process.execPath, '-e', 'process.exit(process.argv[1] === "$HOME; exit 1" ? 0 : 1)', '$HOME; exit 1'];
    const probes = { timeout_ms, command: { argv }, http: { url: 'http://127.0.0.1:9/' } };
    expect(await checkHealth(order(running, probes))).toMatchObject({ probe: 'command', reason: 'command_ok' });
  });

  test('one that is called off is no finding', async () => {
    const probes = { timeout_ms: 60_000, ...node('setInterval(() => {}, 1000)') };
    await expect(checkHealth(order(running, probes, { signal: AbortSignal.timeout(200) }))).rejects.toThrow();
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
    const asked = order(running, { timeout_ms: 500, http: { url: base + path } });
    const result = await checkHealth(asked);
    expect(result).toMatchObject({ healthy, running: true, pid: 4711, probe: 'http', reason, http_status });
    expect(result).toMatchObject({ returncode: null, command: null });
    expect(await sample(asked)).toMatchObject({ healthy, reason, reported_build_sha });
  });

  test('nobody listens', async () => {
    const probes = { timeout_ms, http: { url: 'http://127.0.0.1:1/' } };
    expect(await checkHealth(order(running, probes))).toMatchObject({
      healthy: false,
      reason: 'http_error',
      http_status: null,
    });
  });

  test('no connection is kept for the next one', async () => {
    await checkHealth(order(running, { timeout_ms, http: { url: `${base}/ok` } }));
    expect(seen.at(-1)?.headers.connection).toBe('close');
  });

  test('one that is called off is no finding', async () => {
    const probes = { timeout_ms: 60_000, http: { url: `${base}/silent` } };
    await expect(checkHealth(order(running, probes, { signal: AbortSignal.timeout(100) }))).rejects.toThrow();
  });

  test('D5 a result is these fields and no others', async () => {
    const result = await checkHealth(order(running, { http: { url: `${base}/ok` } }));
    expect(probeResultSchema.strict().parse(result)).toEqual(result);
    expect(Object.keys(result)).toEqual(Object.keys(probeResultSchema.shape));
  });

  test('D6 a sample says whether anything answered, and what the driver remembers', async () => {
    const sampleOf = async (path: string, state = running) =>
      sample(order(state, { timeout_ms: 300, http: { url: base + path } }));
    expect(await sampleOf('/broken')).toEqual({
      at_ms: expect.any(Number) as number,
      running: true,
      alive: true,
      pid: 4711,
      started_at: running.started_at,
      restart_count: 0,
      exit_code: null,
      exit_signal: null,
      oom_killed: false,
      healthy: false,
      reason: 'http_status:503',
      answered: true,
      reported_build_sha: 'abc',
    });
    expect(await sampleOf('/silent')).toMatchObject({ answered: false, reason: 'http_error' });
    const killed = { ...running, running: false, pid: null, exit_code: 137, oom_killed: true, restart_count: 3 };
    expect(await sampleOf('/ok', killed)).toMatchObject({
      ...{ running: false, alive: false, healthy: false, reason: 'process_exited:137' },
      ...{ oom_killed: true, restart_count: 3, answered: false },
    });
  });

  test('D11 through the switch the world is asked, path and all; liveness is still of the instance', async () => {
    const listen = { host: '0.0.0.0', port: Number(new URL(base).port) };
    const probes = {
      http: { url: 'http://127.0.0.1:{port}/build?deep=1' },
      liveness: { http: { url: 'http://127.0.0.1:1/' } },
    };
    const via = (way: 'instance' | 'traffic') => {
      const asked = order(running, probes, { via: way, traffic: { listen } });
      // As the row of an instance has it: with its own port, where nobody listens here.
      const http = { url: 'http://127.0.0.1:1/build?deep=1' };
      const spec = { ...asked.instance.spec, probes: { ...asked.instance.spec.probes, http } };
      return sample({ ...asked, instance: { ...asked.instance, spec } });
    };
    answers['/build?deep=1'] = (response) => response.end('{"build_sha":"of the world"}');
    expect(await via('traffic')).toMatchObject({ healthy: true, reported_build_sha: 'of the world', alive: false });
    expect(await via('instance')).toMatchObject({ healthy: false, reason: 'http_error' });
    const direct = order(running, { http: { url: `${base}/ok` } }, { via: 'traffic' });
    expect(await sample(direct)).toMatchObject({ healthy: true });
  });

  test.each([
    ['ready and alive', '/ok', 'process.exit(0)', true, true],
    ['alive, not ready', '/broken', 'process.exit(0)', false, true],
    ['ready, not alive', '/ok', 'process.exit(1)', true, false],
  ])('D5 readiness and liveness are told apart: %s', async (_name, path, script, healthy, alive) => {
    const probes = { http: { url: base + path }, liveness: node(script) };
    expect(await sample(order(running, probes))).toMatchObject({ running: true, healthy, alive });
  });

  test('D7 a dependency is up when it answers', async () => {
    const { signal } = new AbortController();
    const http = (path: string) => probeDependency({ name: 'db', http: { url: base + path } }, 500, signal);
    expect(await Promise.all(['/ok', '/missing', '/moved', '/broken', '/silent', '/hangs-up'].map(http))).toEqual([
      ...[true, true, true, false, false, false],
    ]);
    const tcp = (port: number, host = '127.0.0.1') => probeDependency({ name: 'db', tcp: { host, port } }, 500, signal);
    expect(await tcp(Number(new URL(base).port))).toBe(true);
    expect(await tcp(1)).toBe(false);
    expect(await tcp(80, 'no-such-host.invalid')).toBe(false);
    // An address that nobody has swallows what is sent there.
    expect(await tcp(80, '192.0.2.1')).toBe(false);
    const off = AbortSignal.timeout(50);
    const tcpPort = { host: '127.0.0.1', port: Number(new URL(base).port) };
    const called = probeDependency({ name: 'db', tcp: tcpPort }, 60_000, AbortSignal.abort());
    await expect(called).rejects.toMatchObject({ name: 'AbortError' });
    await expect(probeDependency({ name: 'db', http: { url: `${base}/silent` } }, 60_000, off)).rejects.toThrow();
  });
});
