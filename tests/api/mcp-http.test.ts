import { serviceSpecSchema } from '../../domain/service.ts';
import { withText } from './mcp-clients.ts';
import { smallestSpec, startApi, type TestApi } from './start-api.ts';

let api: TestApi;
beforeAll(async () => (api = await startApi()));
afterAll(() => api.close());

interface ResourcesPage {
  readonly result?: { readonly resources: readonly { readonly uri: string }[]; readonly nextCursor?: string };
  readonly error?: object;
}

const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
const accept = 'application/json, text/event-stream';
const post = (options: { token?: string | null; body?: unknown; headers?: Record<string, string> } = {}) =>
  api.ask('POST', '/mcp', { body: list, ...options, headers: { accept, ...options.headers } });

test('O5 without a token, or with one that is not known, 401 and the challenge', async () => {
  for (const token of [null, 'hf_0123456789ab_nonsensenonsense']) {
    const { status, headers } = await post({ token });
    expect([status, headers.get('www-authenticate')]).toEqual([401, expect.stringMatching(/^Bearer realm="holdfast"/)]);
  }
  expect((await post()).status).toBe(200);
});

test('O5 under /v1 too; only POST', async () => {
  expect((await api.ask('POST', '/v1/mcp', { body: list, headers: { accept } })).status).toBe(200);
  for (const method of ['GET', 'DELETE', 'PUT']) {
    const { status, headers } = await api.ask(method, '/mcp');
    expect([status, headers.get('allow')]).toEqual([405, 'POST']);
  }
});

test('O5 an Origin that is not of this machine is 403, with and without a token', async () => {
  for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1.evil.example', 'nonsense']) {
    expect((await post({ headers: { origin } })).status).toBe(403);
    expect((await post({ headers: { origin }, token: null })).status).toBe(403);
  }
  for (const origin of ['http://localhost:3000', 'http://127.0.0.1:8420', 'http://[::1]:1']) {
    expect((await post({ headers: { origin } })).status).toBe(200);
  }
});

test('O5 resources come in pages; a cursor that was made up is refused', async () => {
  const spec = { ...serviceSpecSchema.parse(smallestSpec), box: 'testbox' };
  for (let index = 0; index < 51; index += 1) await api.parts.services.register(`paged-${index}`, spec);
  const page = async (cursor?: string) => {
    const body = { jsonrpc: '2.0', id: 1, method: 'resources/list', params: cursor === undefined ? {} : { cursor } };
    const { text } = await post({ body });
    return JSON.parse(text.replace(/^.*\ndata: /s, '')) as ResourcesPage;
  };
  const uris: string[] = [];
  let cursor: string | undefined;
  do {
    const { result } = await page(cursor);
    uris.push(...(result?.resources ?? []).map(({ uri }) => uri));
    cursor = result?.nextCursor;
  } while (cursor !== undefined);
  const rows = await api.databases.ops<{ name: string }[]>`select name from services order by name`;
  expect(uris).toEqual(rows.map(({ name }) => `holdfast://services/${name}/logs`));
  expect((await page('made-up')).error).toMatchObject({ code: -32602, message: withText('next_cursor') });
});

test('O5 what is too large, not JSON, or a batch is refused', async () => {
  const large = { ...list, params: { cursor: 'x'.repeat(300_000) } };
  const replies = [
    await post({ body: large }),
    await post({ body: '{' }),
    await post({ body: [list, list] }),
    await post({ headers: { 'content-type': 'text/plain' } }),
  ];
  expect(replies.map(({ status }) => status)).toEqual([413, 400, 400, 415]);
  expect((await post()).status).toBe(200);
});

test('O5 requests over MCP count with all others of the token', async () => {
  const limited = await startApi({ limits: { requestsPerMinute: 3 } });
  try {
    const ask = () => limited.ask('POST', '/mcp', { body: list, headers: { accept } });
    await limited.ask('GET', '/v1/services');
    expect([(await ask()).status, (await ask()).status, (await ask()).status]).toEqual([200, 200, 429]);
  } finally {
    await limited.close();
  }
});

test('O5 a line of the log says which action a call was', async () => {
  await post({
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'service_list', arguments: {} } },
  });
  const lines = api
    .logged()
    .split('\n')
    .filter((line) => line.includes('"path":"/mcp"'));
  expect(JSON.parse(lines.at(-1) ?? '{}')).toMatchObject({ action: 'service_list', actor: 'operator', status: 200 });
});

test('O5 what goes wrong inside is told without its cause, which is in the log', async () => {
  const broken = await startApi({ databaseUrl: 'postgres://nobody:hunter2@127.0.0.1:1/none' });
  try {
    const { status, text } = await broken.ask('POST', '/mcp', { body: list, headers: { accept } });
    expect([status, text.includes('hunter2')]).toEqual([503, false]);
  } finally {
    await broken.close();
  }
});
