import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { get, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/box.ts';
import { makeClient, upgrade } from './client.ts';
import { makeBench, seenBy, service, untilCome, type Bench, type Release } from './service-behind.ts';

let bench: Bench;
let client: ReturnType<typeof makeClient>;
let first: Release;
let second: Release;

beforeAll(async () => {
  bench = await makeBench();
  client = makeClient(bench.traffic.listen.port);
  first = await bench.release('first');
  second = await bench.release('second');
});
afterAll(() => bench.close());
beforeEach(() => bench.forwarder.point(service, bench.traffic, first.port));

describe('what passes through', () => {
  test('bodies of 64 MB in both directions, unchanged', async () => {
    const body = Buffer.alloc(64 * 1024 * 1024, 'holdfast');
    const sha256 = createHash('sha256').update(body).digest('hex');
    const { body: said } = await client.ask('/hash', { method: 'POST' }, body);
    expect(JSON.parse(said)).toEqual({ bytes: body.length, sha256 });
    const chunked = await client.ask('/hash', { method: 'PUT', headers: { 'transfer-encoding': 'chunked' } }, body);
    expect(JSON.parse(chunked.body)).toEqual({ bytes: body.length, sha256 });
    const down = await client.ask('/bytes?blocks=1024');
    expect(createHash('sha256').update(down.body, 'latin1').digest('hex')).toBe(sha256);
  });

  test('its memory does not grow with the bodies', async () => {
    const { socket: hungry } = client.open();
    hungry.write('GET /bytes?blocks=4096 HTTP/1.1\r\nHost: x\r\n\r\n');
    hungry.pause(); // 256 MB for a client that does not read.
    await sleep(1_000);
    expect(residentBytes(bench.pids()[0] ?? 0)).toBeLessThan(160 * 1024 * 1024);
    hungry.destroy();
  });

  test('Host, and who asked; what somebody on this machine says of the client is believed', async () => {
    const seen = async (headers: Record<string, string>) =>
      JSON.parse((await client.ask('/request?a=1', { headers })).body) as {
        headers: Record<string, string>;
        url: string;
      };
    expect(await seen({ host: 'example.org' })).toMatchObject({
      url: '/request?a=1',
      headers: {
        host: 'example.org',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': 'example.org',
      },
    });
    const tls = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'public.example',
    };
    expect((await seen(tls)).headers).toMatchObject({ ...tls, 'x-forwarded-for': '203.0.113.9, 127.0.0.1' });
    const named = await seen({ connection: 'keep-alive, x-mine', 'x-mine': '1', te: 'trailers' });
    expect(named.headers).not.toHaveProperty('x-mine');
    expect(named.headers).not.toHaveProperty('te');
  });

  test.each(['HEAD', 'DELETE', 'OPTIONS', 'PATCH'])('%s', async (method) => {
    const { status, body, headers } = await client.ask('/', { method });
    expect({ status, body }).toEqual({ status: 200, body: method === 'HEAD' ? '' : 'first' });
    expect(headers['x-release']).toBe('first');
  });

  test('a proxy-style address, an address with *, and HTTP/1.0', async () => {
    expect(
      await client.raw('GET http://other.example/request HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    ).toMatch(/"url":"\/request".*"host":"other\.example"/);
    expect(await client.raw('OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 [24]00/,
    );
    const old = await client.raw('GET /trailers HTTP/1.0\r\n\r\n');
    expect(old).toMatch(/^HTTP\/1\.1 200[^]*\r\n\r\nbody$/);
    expect(old).not.toMatch(/transfer-encoding/i);
  });

  test('what a service says before and after its body', async () => {
    const hints: unknown[] = [];
    const sent = get(`${bench.url}/hints`).on('information', ({ statusCode, headers }) =>
      hints.push([statusCode, headers['link']]),
    );
    await once(((await once(sent, 'response')) as [IncomingMessage])[0].resume(), 'end');
    expect(hints).toEqual([[103, '</a.css>; rel=preload']]);
    const [answer] = (await once(get(`${bench.url}/trailers`), 'response')) as [IncomingMessage];
    await once(answer.resume(), 'end');
    expect(answer.trailers).toEqual({ 'x-sum': '42' });
  });

  test('Expect: 100-continue is the service’s to answer', async () => {
    const post = (path: string) => {
      const sent = request(`${bench.url}${path}`, {
        method: 'POST',
        headers: { expect: '100-continue', 'content-length': 5 },
      });
      sent.flushHeaders();
      return sent;
    };
    const welcome = post('/hash');
    await once(welcome, 'continue');
    welcome.end('hello');
    const [accepted] = (await once(welcome, 'response')) as [IncomingMessage];
    expect(accepted.statusCode).toBe(200);
    accepted.resume();

    const refused = post('/refuses');
    let continued = false;
    refused.on('continue', () => (continued = true)).on('error', () => undefined);
    const [answer] = (await once(refused, 'response')) as [IncomingMessage];
    expect({ status: answer.statusCode, continued }).toEqual({ status: 413, continued: false });
    refused.destroy();
  });

  test('an offer of HTTP/2 is passed over, the request is not', async () => {
    const said = await client.raw(
      'POST /hash HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: 5\r\n\r\nhello',
      700,
    );
    expect(said).toMatch(/^HTTP\/1\.1 200[^]*"bytes":5/);
  });

  test('an upgrade that the service refuses', async () => {
    expect(await client.raw(`GET /no HTTP/1.1\r\n${upgrade}`)).toMatch(/^HTTP\/1\.1 403/);
  });

  test('requests after each other on one connection', async () => {
    const { socket, said } = client.open();
    for (let n = 1; n <= 5; n += 1) {
      const { port } = n % 2 === 0 ? second : first;
      await bench.forwarder.point(service, bench.traffic, port);
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await until(() => said().split('HTTP/1.1 200').length === n + 1 && said().includes('keep-alive: timeout=75'));
    }
    expect(said().match(/x-release: \w+/g)).toEqual(
      [1, 2, 3, 4, 5].map((n) => `x-release: ${n % 2 ? 'first' : 'second'}`),
    );
    socket.destroy();
  });
});

describe('what goes wrong on either side', () => {
  test('a client that leaves ends its request at the service too', async () => {
    const aborted = async () => (JSON.parse((await client.ask('/seen')).body) as { aborted: number }).aborted;
    const before = await aborted();
    const sent = get(`${bench.url}/trickle`).on('error', () => undefined);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.on('error', () => undefined);
    await once(response, 'data');
    sent.destroy();
    const upload = request(`${bench.url}/hash`, { method: 'POST', headers: { 'content-length': 1_000_000 } });
    const { came } = await seenBy(first);
    upload.on('error', () => undefined).write('only this much');
    await untilCome(first, '/hash', came['/hash']);
    upload.destroy();
    await until(async () => (await aborted()) > before + 1);
    expect(await aborted()).toBe(before + 2);
  });

  test('a service that dies: a problem at once or soon, and well again when it is', async () => {
    const dying = await bench.release('dying');
    await bench.forwarder.point(service, bench.traffic, dying.port);
    const inFlight = client.ask('/slow?ms=60000', { method: 'POST' }, Buffer.from('x'));
    const socket = await client.openWebSocket();
    await untilCome(dying, '/slow');
    await dying.kill();
    expect(await inFlight).toMatchObject({ status: 502 });
    await until(() => socket.closed());

    const { status, body, headers } = await client.ask('/', { method: 'POST' }, Buffer.alloc(3_000_000));
    expect(status).toBe(502);
    expect(headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': '1' });
    expect(JSON.parse(body)).toMatchObject({ status: 502, title: 'Bad Gateway' });
    expect(await client.raw(`GET /ws HTTP/1.1\r\n${upgrade}`)).toMatch(/^HTTP\/1\.1 502[^]*problem\+json/);

    // Begun first: a busy machine may take long to start it.
    const back = bench.release('back', dying.port);
    // Back within the patience, so that nobody notices; also with a body, of which nothing was taken yet.
    const waiting = [
      client.ask('/'),
      client.ask('/hash', { method: 'POST' }, Buffer.alloc(3_000_000)),
      client.openWebSocket(),
    ] as const;
    await back;
    expect(await waiting[0]).toMatchObject({ status: 200, body: 'back' });
    expect(JSON.parse((await waiting[1]).body)).toMatchObject({ bytes: 3_000_000 });
    (await waiting[2]).socket.destroy();
  });

  test('a request that waits for a service that is gone goes to the new target', async () => {
    const gone = await bench.release('gone');
    await bench.forwarder.point(service, bench.traffic, gone.port);
    await gone.kill();
    const waiting = client.ask('/', { method: 'POST' }, Buffer.from('x'));
    await sleep(200);
    await bench.forwarder.point(service, bench.traffic, second.port);
    expect(await waiting).toMatchObject({ status: 200, body: 'second' });
  });

  test('a reset without an answer, half an answer, a strange one', async () => {
    expect(await client.ask('/reset')).toMatchObject({ status: 502 });
    expect(await client.ask('/reset', { method: 'POST' }, Buffer.from('x'))).toMatchObject({ status: 502 });
    await expect(client.ask('/half')).rejects.toThrow();
    expect([200, 502]).toContain((await client.ask('/strange')).status);
    expect(await client.ask('/')).toMatchObject({ status: 200 });
  });

  test('whatever a client sends, the others are served', async () => {
    const [pid] = bench.pids();
    const nonsense = [
      '\x16\x03\x01\x02\x00\x01\x00',
      'GET / HTTP/9.9\r\n\r\n',
      'GET  HTTP/1.1\r\n\r\n',
      `GET /${'a'.repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(20_000)}\r\n`,
      'GET /\xff\xfe HTTP/1.1\r\nHost: \xff\r\nX: \xe4\r\nConnection: close\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      'CONNECT other.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: nonsense\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: host, content-length, upgrade\r\nUpgrade: websocket\r\n\r\n',
      'GET http:///// HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      'POST /hash HTTP/1.1\r\nHost: x\r\nExpect: a-lot\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ];
    await Promise.all(nonsense.map((text) => client.raw(text, 500)));
    for (let n = 0; n < 200; n += 1) {
      const { socket } = client.open();
      socket.write(nonsense[n % nonsense.length] ?? '', 'latin1');
      setTimeout(() => socket.resetAndDestroy(), n % 20);
    }
    await sleep(300);
    expect(await client.ask('/')).toMatchObject({ status: 200, body: 'first' });
    expect(bench.pids()).toEqual([pid]);
    expect(logOf()).not.toContain('survived');
  });
});

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

function logOf(): string {
  const instances = join(bench.folder(), 'instances');
  return readdirSync(instances)
    .map((name) => readFileSync(join(instances, name, 'log.1'), 'utf8'))
    .join('');
}
