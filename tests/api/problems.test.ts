import { request } from 'node:http';
import { problemSchema } from '../../domain/problem.ts';
import { closedPort, smallestSpec, startApi, type Reply, type TestApi } from './start-api.ts';

let api: TestApi;
beforeAll(async () => (api = await startApi()));
afterAll(() => api.close());

function expectProblem(reply: Reply, status: number, kind: string): void {
  expect([reply.status, reply.body.type]).toEqual([status, `urn:holdfast:problem:${kind}`]);
  expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(problemSchema.parse(reply.body)).toMatchObject({ status });
  expect(reply.body.instance).toBe(`urn:holdfast:request:${reply.headers.get('x-request-id')}`);
}

test('O1 an unknown path is 404', async () => {
  expectProblem(await api.ask('GET', '/v1/nothing'), 404, 'not_found');
  expectProblem(await api.ask('GET', '/'), 404, 'not_found');
});

test('O1 a method that a path does not take is 405 with Allow', async () => {
  const reply = await api.ask('PATCH', '/v1/services/web', { body: {} });
  expectProblem(reply, 405, 'method_not_allowed');
  expect(reply.headers.get('allow')).toBe('PUT, GET, HEAD');
  expect((await api.ask('DELETE', '/health')).headers.get('allow')).toBe('GET, HEAD');
});

test('O1 malformed JSON is 400 and does not show what was sent', async () => {
  const reply = await api.ask('PUT', '/v1/services/web', { body: '{"secret": hunter2' });
  expectProblem(reply, 400, 'invalid_request');
  expect(reply.text).not.toContain('hunter2');
});

test('O1 characters that Postgres cannot hold are 400', async () => {
  const spec = (argv: string) => JSON.stringify(smallestSpec).replace('web.js', argv);
  for (const argv of ['\\u0000', '\\ud800']) {
    expectProblem(await api.ask('PUT', '/v1/services/web', { body: spec(argv) }), 400, 'invalid_request');
  }
  expectProblem(await api.ask('GET', '/v1/events?subject=%00'), 400, 'invalid_request');
});

test('O1 a body over 256 kB is 413', async () => {
  const body = { ...smallestSpec, padding: 'x'.repeat(300_000) };
  expectProblem(await api.ask('PUT', '/v1/services/web', { body }), 413, 'payload_too_large');
});

test('O1 a body that is not JSON is 415', async () => {
  const headers = { 'content-type': 'text/plain' };
  const reply = await api.ask('PUT', '/v1/services/web', { body: 'hello', headers });
  expectProblem(reply, 415, 'unsupported_media_type');
});

test('O1 every fault of a body is named with its path, unknown fields too', async () => {
  const body = { source: { git: 'nonsense' }, run: { argv: [] }, colour: 'red', watch: { pace: 1 } };
  const reply = await api.ask('PUT', '/v1/services/web', { body });
  expectProblem(reply, 400, 'invalid_request');
  expect(reply.body.errors.map(({ path }) => path).sort()).toEqual(['colour', 'run.argv', 'source.git', 'watch.pace']);
});

test('O1 wrong parameters of path and query are 400', async () => {
  for (const path of [
    '/v1/services/UPPER',
    '/v1/deploys/7',
    '/v1/services?limit=0',
    '/v1/services?limit=a',
    '/v1/services?x=1',
  ]) {
    expectProblem(await api.ask('GET', path), 400, 'invalid_request');
  }
  expectProblem(await api.ask('GET', '/v1/services/web?limit=1'), 400, 'invalid_request');
  expectProblem(await api.ask('GET', '/v1/services/%E0%A4%A'), 400, 'invalid_request');
});

test('O2 no token and a wrong token are 401 with WWW-Authenticate', async () => {
  const none = await api.ask('GET', '/v1/services', { token: null });
  expectProblem(none, 401, 'unauthenticated');
  expect(none.headers.get('www-authenticate')).toBe('Bearer realm="holdfast"');
  const wrong = await api.ask('GET', '/v1/services', { token: 'hf_000000000000_' + 'x'.repeat(43) });
  expectProblem(wrong, 401, 'unauthenticated');
  expect(wrong.headers.get('www-authenticate')).toContain('invalid_token');
});

test('O2 a role that is too weak is 403 and names the role that is needed', async () => {
  const reply = await api.ask('POST', '/v1/tokens', { body: { actor: 'x', role: 'admin' } });
  expectProblem(reply, 403, 'forbidden');
  expect(reply.body.detail).toContain('admin');
});

test('O2 a foreign Host header is refused (DNS rebinding)', async () => {
  const status = (host: string) =>
    new Promise((resolve, reject) => {
      request(`${api.url}/health`, { headers: { host } }, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end();
    });
  expect(await status('evil.example')).toBe(400);
  expect(await status('evil.example:80')).toBe(400);
  expect(await status('localhost:8420')).toBe(200);
  expect(await status('[::1]:8420')).toBe(200);
});

test('O1 the request id of the caller is kept when it is a plain one', async () => {
  const kept = await api.ask('GET', '/health', { headers: { 'x-request-id': 'abc-1' } });
  expect(kept.headers.get('x-request-id')).toBe('abc-1');
  const replaced = await api.ask('GET', '/health', { headers: { 'x-request-id': '<script>' } });
  expect(replaced.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
});

describe('limits', () => {
  let limited: TestApi;
  beforeAll(async () => (limited = await startApi({ limits: { requestsPerMinute: 5, failedLoginsPerMinute: 3 } })));
  afterAll(() => limited.close());

  test('O2 too many requests of one token are 429 with Retry-After; another token goes on', async () => {
    const { viewer: token } = limited.tokens;
    const statuses = [];
    for (let i = 0; i < 6; i++) statuses.push((await limited.ask('GET', '/v1/services', { token })).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
    const reply = await limited.ask('GET', '/v1/services', { token });
    expectProblem(reply, 429, 'rate_limited');
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await limited.ask('GET', '/v1/services', { token: limited.tokens.agent })).status).toBe(200);
  });

  test('O2 failed logins have a stricter limit, which locks out nobody who holds a good token', async () => {
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await limited.ask('GET', '/v1/services', { token: `hf_${i}` })).status);
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect((await limited.ask('GET', '/v1/services', { token: limited.tokens.admin })).status).toBe(200);
  });
});

describe('with servers that are down', () => {
  let broken: TestApi;
  beforeAll(async () => (broken = await startApi({ databaseUrl: closedPort, temporalAddress: '127.0.0.1:1' })));
  afterAll(() => broken.close());

  test('O1 Postgres down is 503 with Retry-After and says nothing of the address', async () => {
    const reply = await broken.ask('GET', '/v1/services');
    expectProblem(reply, 503, 'unavailable');
    expect(reply.headers.get('retry-after')).toBe('5');
    expect(reply.text).not.toMatch(/ECONN|127\.0\.0\.1|nobody/);
  });
});

test('O1 Temporal down is 503, and nothing is recorded under the key', async () => {
  const down = await startApi({ temporalAddress: '127.0.0.1:1' });
  try {
    await down.ask('PUT', '/v1/services/web', { body: smallestSpec });
    const headers = { 'idempotency-key': 'k' };
    const reply = await down.ask('POST', '/v1/services/web/deploys', { body: {}, headers });
    expectProblem(reply, 503, 'unavailable');
    expect(await down.databases.ops`select 1 from idempotency_keys`).toHaveLength(0);
    expect(await down.databases.ops`select 1 from deploys`).toHaveLength(0);
  } finally {
    await down.close();
  }
});

test('O1 an unknown error is 500 without its text; the log has it', async () => {
  await api.databases.ops`alter table events rename to events_hidden`;
  try {
    const reply = await api.ask('GET', '/v1/events');
    expectProblem(reply, 500, 'internal');
    expect(reply.text).not.toContain('events_');
    expect(reply.text).not.toContain('relation');
    expect(api.logged()).toContain('relation');
  } finally {
    await api.databases.ops`alter table events_hidden rename to events`;
  }
});
