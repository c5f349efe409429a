import getPort from 'get-port';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCaddySwitch } from '../../../adapters/switch/caddy.ts';
import { createTrafficSwitch } from '../../../adapters/switch/choose.ts';
import { listenersOn } from '../../../adapters/process/listeners.ts';
import type { TrafficSpec } from '../../../domain/service.ts';
import { until } from '../../support/box.ts';
import { makeClient } from './client.ts';
import { cutConnections } from './cut-connections.ts';
import { requireCaddy, startCaddy, withoutCaddy, type Caddy } from './real-caddy.ts';
import { makeBench, seenBy, service, untilCome, type Bench, type Release } from './service-behind.ts';

const never = new AbortController().signal;
const onCaddy = withoutCaddy ? describe.skip : describe;

onCaddy('D11 with a real Caddy', () => {
  const caddySwitch = createCaddySwitch();
  let bench: Bench;
  let caddy: Caddy;
  let traffic: TrafficSpec;
  let client: ReturnType<typeof makeClient>;
  let first: Release;
  let second: Release;

  beforeAll(async () => {
    requireCaddy();
    bench = await makeBench();
    first = await bench.release('first');
    second = await bench.release('second');
  }, 300_000);
  afterAll(() => bench.close());

  async function start(kind: Parameters<typeof startCaddy>[0] = 'foreign'): Promise<void> {
    caddy = await startCaddy(kind);
    const listen = { host: '127.0.0.1', port: await getPort() };
    traffic = { listen, drain_ms: 5_000, caddy: { admin: caddy.admin } };
    client = makeClient(listen.port);
  }
  beforeEach(() => start());
  afterEach(() => caddy.stop());

  /** As browsers do. */
  const askTwice = (agent: Agent | false) => client.ask('/', { agent }).catch(() => client.ask('/', { agent }));
  const answer = async () => (await askTwice(false)).body;
  const servers = async () => (await caddy.config())?.apps?.http.servers ?? {};
  const saved = async () => JSON.stringify((await servers())['theirs']);

  test('a server and a route of our own are made once; what is somebody else’s stays as it is', async () => {
    const theirs = await saved();
    expect(await caddySwitch.current(service, traffic)).toBeNull();
    await caddySwitch.point(service, traffic, first.port);
    expect(await answer()).toBe('first');
    expect(await caddySwitch.current(service, traffic)).toBe(first.port);

    const made = JSON.stringify(await servers());
    await caddySwitch.point(service, traffic, first.port);
    expect(JSON.stringify(await servers())).toBe(made);

    await caddySwitch.point(service, traffic, second.port);
    expect(await answer()).toBe('second');
    expect(await caddySwitch.current(service, traffic)).toBe(second.port);
    expect(await saved()).toBe(theirs);
    expect(await (await fetch(caddy.foreignUrl)).text()).toBe('somebody else’s');

    await caddySwitch.remove(service, traffic);
    await caddySwitch.remove(service, traffic);
    expect(Object.keys(await servers())).toEqual(['theirs']);
    expect(await saved()).toBe(theirs);
    expect(await caddySwitch.current(service, traffic)).toBeNull();
  });

  test('a Caddy without any configuration', async () => {
    await caddy.stop();
    await start('empty');
    await caddySwitch.point(service, traffic, first.port);
    expect(await answer()).toBe('first');
  });

  test('many point() at once make one server', async () => {
    await Promise.all(Array.from({ length: 6 }, () => caddySwitch.point(service, traffic, first.port)));
    expect(Object.keys(await servers()).sort()).toEqual([`holdfast-${service}`, 'theirs']);
    expect(await answer()).toBe('first');
  });

  test.each(['unheard', 'unanswered'] as const)(
    'a change of which the connection is cut, %s, is looked for and made once',
    async (how) => {
      const theirs = await saved();
      const cutting = await cutConnections(caddy.admin, how);
      const through = { ...traffic, caddy: { admin: cutting.admin } };
      await caddySwitch.point(service, through, first.port);
      await caddySwitch.point(service, through, second.port);
      expect(await answer()).toBe('second');
      expect(await caddySwitch.drain(service, through, never)).toEqual({ cut: 0 });
      expect(await saved()).toBe(theirs);
      expect(await caddySwitch.current(service, through)).toBe(second.port);
      await caddySwitch.remove(service, through);
      expect(Object.keys(await servers())).toEqual(['theirs']);
      expect(cutting.changes()).toBeGreaterThanOrEqual(how === 'unheard' ? 8 : 4);
      await cutting.stop();
    },
  );

  test('an admin API that cuts every connection is given up, and said to be so', async () => {
    const cutting = await cutConnections(caddy.admin, 'always');
    const pointing = caddySwitch.point(service, { ...traffic, caddy: { admin: cutting.admin } }, first.port);
    await expect(pointing).rejects.toThrow(`Caddy's admin API at ${cutting.admin} does not answer`);
    expect(Object.keys(await servers())).toEqual(['theirs']);
    await cutting.stop();
  });

  test('50 requests a second over several changes: none fails, but one that a reload resets is asked again', async () => {
    await caddySwitch.point(service, traffic, first.port);
    const failed: unknown[] = [];
    const note = (error: unknown) => failed.push(error);
    const agent = new Agent({ keepAlive: false });
    let on = true;
    const load: Promise<unknown>[] = [];
    const steady = (async () => {
      const isOn = () => on;
      while (isOn()) {
        await sleep(20);
        load.push(askTwice(agent).then(({ status }) => (status === 200 ? null : failed.push(status)), note));
      }
    })();
    for (let round = 0; round < 4; round += 1) {
      await caddySwitch.point(service, traffic, round % 2 === 0 ? second.port : first.port);
      await sleep(200);
      expect(await caddySwitch.drain(service, traffic, never)).toEqual({ cut: 0 });
      await sleep(200);
    }
    on = false;
    await steady;
    await Promise.all(load);
    expect(failed).toEqual([]);
  });

  test('a slow request to the one before ends there, and is waited for', async () => {
    await caddySwitch.point(service, traffic, first.port);
    const before = await seenBy(first);
    const slow = client.ask('/slow?ms=3000', { agent: false });
    await untilCome(first, '/slow', before.came['/slow']);
    await caddySwitch.point(service, traffic, second.port);
    expect(await answer()).toBe('second');
    expect(await caddySwitch.drain(service, traffic, never)).toEqual({ cut: 0 });
    expect((await seenBy(first)).ended['/slow']).toBe((before.ended['/slow'] ?? 0) + 1);
    expect(await slow).toMatchObject({ status: 200, body: 'first' });
    expect(JSON.stringify(await servers())).not.toContain(String(first.port));
  });

  test('what is under way after drain_ms is counted; going back before is as if nothing had been', async () => {
    await caddySwitch.point(service, traffic, first.port);
    const { came } = await seenBy(first);
    const slow = client.ask('/slow?ms=5000', { agent: false });
    await untilCome(first, '/slow', came['/slow']);
    await caddySwitch.point(service, traffic, second.port);
    expect(await caddySwitch.drain(service, { ...traffic, drain_ms: 300 }, never)).toEqual({ cut: 1 });
    await caddySwitch.point(service, traffic, first.port);
    await caddySwitch.point(service, traffic, second.port);
    await caddySwitch.point(service, traffic, first.port);
    expect(await answer()).toBe('first');
    await slow;
  });

  test('a route that somebody wrote by hand is pointed, and keeps all that it has', async () => {
    const handle = [
      { handler: 'headers', response: { set: { 'x-theirs': ['1'] } } },
      {
        handler: 'reverse_proxy',
        headers: { request: { set: { 'x-mine': ['2'] } } },
        upstreams: [{ dial: 'other:1' }],
      },
    ];
    const route = { '@id': `holdfast-${service}`, match: [{ path: ['/*'] }], handle };
    const { listen } = traffic;
    await caddy.change('PUT', '/config/apps/http/servers/byhand', {
      listen: [`${listen.host}:${listen.port}`],
      routes: [route],
    });
    expect(await caddySwitch.current(service, traffic)).toBeNull();
    await caddySwitch.point(service, traffic, first.port);
    const { headers, body } = await client.ask('/request', { agent: false });
    expect(headers).toMatchObject({ 'x-theirs': '1', 'x-release': 'first' });
    expect(JSON.parse(body)).toMatchObject({ headers: { 'x-mine': '2' } });
    expect(Object.keys(await servers()).sort()).toEqual(['byhand', 'theirs']);

    await caddySwitch.remove(service, traffic);
    expect(Object.keys(await servers())).toContain('byhand');
    await caddy.change('PATCH', `/id/holdfast-${service}/handle`, [handle[0]]);
    await expect(caddySwitch.point(service, traffic, second.port)).rejects.toMatchObject({
      name: 'GuardRefused',
      message: expect.stringContaining('caddy_route_unusable') as string,
    });
  });

  test('a port that another program or another server of Caddy has', async () => {
    const other = await bench.release('other', traffic.listen.port);
    const refused = { name: 'GuardRefused', message: expect.stringContaining('port_in_use') as string };
    await expect(caddySwitch.point(service, traffic, first.port)).rejects.toMatchObject(refused);
    await other.kill();
    const listen = { host: '127.0.0.1', port: Number(new URL(caddy.foreignUrl).port) };
    await expect(caddySwitch.point(service, { ...traffic, listen }, first.port)).rejects.toMatchObject(refused);
    expect(Object.keys(await servers())).toEqual(['theirs']);
    await caddySwitch.point(service, traffic, first.port);
    expect(await answer()).toBe('first');
  });

  test('a `listen` that was edited moves our server', async () => {
    await caddySwitch.point(service, traffic, first.port);
    const edited = { ...traffic, listen: { host: '127.0.0.1', port: await getPort() } };
    expect(await caddySwitch.current(service, edited)).toBeNull();
    await caddySwitch.point(service, edited, first.port);
    expect(await caddySwitch.current(service, edited)).toBe(first.port);
    expect((await makeClient(edited.listen.port).ask('/', { agent: false })).body).toBe('first');
    await until(() => listenersOn(traffic.listen.port).length === 0);
  });

  test('no Caddy there: it says where it was looked for and what to do', async () => {
    await caddySwitch.point(service, traffic, first.port);
    await caddy.stop();
    expect(await caddySwitch.current(service, traffic)).toBeNull();
    await expect(caddySwitch.point(service, traffic, first.port)).rejects.toThrow(
      new RegExp(`^Caddy's admin API at ${caddy.admin} does not answer: .*ECONNREFUSED.*Start Caddy`),
    );
  });

  test('each service has the switch that its traffic asks for', async () => {
    const both = createTrafficSwitch({ forwarder: bench.forwarder, caddy: caddySwitch });
    await both.point(service, bench.traffic, first.port);
    await both.point(service, traffic, second.port);
    expect(await both.current(service, bench.traffic)).toBe(first.port);
    expect(await both.current(service, traffic)).toBe(second.port);
    expect(await both.drain(service, bench.traffic, never)).toEqual({ cut: 0 });
    await both.remove(service, bench.traffic);
    expect(await both.current(service, bench.traffic)).toBeNull();
    expect(await both.current(service, traffic)).toBe(second.port);
  });
});
