import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type RequestOptions } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/box.ts';
import { makeClient } from './client.ts';
import { makeBench, seenBy, service, untilCome, type Bench, type Release } from './service-behind.ts';

let bench: Bench;
let client: ReturnType<typeof makeClient>;
let first: Release;
let second: Release;
const never = new AbortController().signal;

beforeAll(async () => {
  bench = await makeBench();
  client = makeClient(bench.traffic.listen.port);
  first = await bench.release('first');
  second = await bench.release('second');
});
afterAll(() => bench.close());
beforeEach(() => bench.forwarder.point(service, bench.traffic, first.port));

describe('D11 while the target changes', () => {
  const kinds: [string, () => Agent][] = [
    ['a connection for each request', () => new Agent({ keepAlive: false })],
    ['kept connections', () => new Agent({ keepAlive: true, maxSockets: 8 })],
  ];
  test.each(kinds)('no request fails, over %s, 50 a second and in bursts', async (_name, makeAgent) => {
    const agent = makeAgent();
    const failed: unknown[] = [];
    const names = new Map<string, number>();
    let on = true;
    const isOn = () => on;
    const oneMore = (options: RequestOptions, body?: Buffer) =>
      client.ask('/', { agent, ...options }, body).then(
        ({ status, body: name }) => {
          if (status !== 200) failed.push(status);
          names.set(name, (names.get(name) ?? 0) + 1);
        },
        (error: unknown) => failed.push(error),
      );
    const load: Promise<unknown>[] = [];
    const steady = (async () => {
      for (let n = 0; isOn(); n += 1) {
        load.push(n % 3 === 0 ? oneMore({ method: 'POST' }, Buffer.from('x')) : oneMore({}));
        if (n % 50 === 0) for (let more = 0; more < 100; more += 1) load.push(oneMore({}));
        await sleep(20);
      }
    })();
    for (let round = 0; round < 10; round += 1) {
      const { port } = round % 2 === 0 ? second : first;
      await bench.forwarder.point(service, bench.traffic, port);
      await bench.forwarder.drain(service, bench.traffic, never);
      expect(await bench.forwarder.current(service, bench.traffic)).toBe(port);
      await sleep(200);
    }
    on = false;
    await steady;
    await Promise.all(load);
    agent.destroy();
    expect(failed).toEqual([]);
    expect([...names.keys()].sort()).toEqual(['first', 'second']);
  });

  test('what is asked after point() has returned goes to the new one, on a connection that was there before', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const locals = new Set<number | undefined>();
    for (let round = 0; round < 6; round += 1) {
      const release = round % 2 === 0 ? second : first;
      await bench.forwarder.point(service, bench.traffic, release.port);
      const sent = get(`${bench.url}/`, { agent });
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      locals.add(sent.socket?.localPort);
      expect(response.headers).toMatchObject({ 'x-release': release.name, connection: 'keep-alive' });
      await once(response.resume(), 'end');
    }
    expect(locals.size).toBe(1);
    agent.destroy();
  });

  test('a replaced instance that is stopped as soon as drain() has returned takes no request with it', async () => {
    const failed: unknown[] = [];
    let on = true;
    const load = Array.from({ length: 10 }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      while (on) {
        const { status } = await client
          .ask('/slow?ms=30', { agent })
          .catch((error: unknown) => ({ status: String(error) }));
        if (status !== 200) failed.push(status);
      }
      agent.destroy();
    });
    let old = await bench.release('generation 0');
    await bench.forwarder.point(service, bench.traffic, old.port);
    for (let round = 1; round <= 5; round += 1) {
      const next = await bench.release(`generation ${round}`);
      await bench.forwarder.point(service, bench.traffic, next.port);
      expect(await bench.forwarder.drain(service, bench.traffic, never)).toEqual({ cut: 0 });
      await old.kill();
      old = next;
    }
    on = false;
    await Promise.all(load);
    expect(failed).toEqual([]);
    await bench.forwarder.point(service, bench.traffic, first.port);
  });

  test('a slow request to the old one is waited for, and ends there', async () => {
    const before = await seenBy(first);
    const slow = client.ask('/slow?ms=3000');
    await untilCome(first, '/slow', before.came['/slow']);
    await bench.forwarder.point(service, bench.traffic, second.port);
    expect((await client.ask('/')).body).toBe('second');
    expect(await bench.forwarder.drain(service, bench.traffic, never)).toEqual({ cut: 0 });
    expect((await seenBy(first)).ended['/slow']).toBe((before.ended['/slow'] ?? 0) + 1);
    expect(await slow).toMatchObject({ status: 200, body: 'first' });
  });

  test('a WebSocket echoes, stays with the old one, and is cut after drain_ms', async () => {
    const old = await client.openWebSocket();
    old.socket.write('hello');
    await until(() => old.said().endsWith('hello'));
    expect(old.said()).toMatch(/^HTTP\/1\.1 101[^]*x-release: first/);

    await bench.forwarder.point(service, bench.traffic, second.port);
    old.socket.write(' again');
    await until(() => old.said().endsWith(' again'));
    const other = await client.openWebSocket();
    expect(other.said()).toContain('x-release: second');

    const stream = client.ask('/trickle').catch(() => null);
    const began = Date.now();
    const drained = await bench.forwarder.drain(service, { ...bench.traffic, drain_ms: 700 }, never);
    expect(Date.now() - began).toBeGreaterThanOrEqual(700);
    expect(drained).toEqual({ cut: 1 });
    await until(() => old.closed());
    expect(other.closed()).toBe(false);
    // Asked again, as after a crash in between, it answers the same and touches nothing.
    expect(await bench.forwarder.drain(service, bench.traffic, never)).toEqual({ cut: 1 });
    expect(other.closed()).toBe(false);

    await bench.forwarder.point(service, bench.traffic, first.port);
    expect(await bench.forwarder.drain(service, { ...bench.traffic, drain_ms: 0 }, never)).toEqual({ cut: 2 });
    expect(await stream).toBeNull();
    await until(() => other.closed());
  });

  test('going back before the drain leaves the WebSockets of the one that stays alone', async () => {
    const old = await client.openWebSocket();
    await bench.forwarder.point(service, bench.traffic, second.port);
    await bench.forwarder.point(service, bench.traffic, first.port);
    expect(await bench.forwarder.drain(service, { ...bench.traffic, drain_ms: 0 }, never)).toEqual({ cut: 0 });
    old.socket.write('still here');
    await until(() => old.said().endsWith('still here'));
    old.socket.destroy();
  });

  test('a drain that is called off ends at once', async () => {
    const old = await client.openWebSocket();
    await bench.forwarder.point(service, bench.traffic, second.port);
    await expect(
      bench.forwarder.drain(service, { ...bench.traffic, drain_ms: 60_000 }, AbortSignal.timeout(100)),
    ).rejects.toThrow();
    old.socket.destroy();
  });

  test('no connection to the old one is left, and none is kept idle', async () => {
    for (let n = 0; n < 20; n += 1) await client.ask('/');
    const open = async () => (JSON.parse((await client.ask('/seen')).body) as { open: number }).open;
    await until(async () => (await open()) === 1);
    expect(await open()).toBe(1);
  });
});
