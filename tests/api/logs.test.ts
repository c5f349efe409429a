import { logPageSchema, type ServiceLogPage } from '../../domain/log.ts';
import { createLogFolders } from '../support/own-log.ts';
import { placedInstances } from '../support/placed-instance.ts';
import { smallestSpec, startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let folders: ReturnType<typeof createLogFolders>;
beforeAll(async () => {
  api = await startApi();
  folders = createLogFolders(api.home);
});
afterAll(() => api.close());

const ask = (query = '', service = 'web') =>
  api.ask('GET', `/v1/services/${service}/logs${query}`, { token: api.tokens.viewer });
async function read(query = ''): Promise<ServiceLogPage> {
  const { status, text } = await ask(query);
  expect([status, status === 200 ? '' : text]).toEqual([200, '']);
  return logPageSchema.strict().parse(JSON.parse(text));
}
const on = (cursor: string, limit = 100) => `?cursor=${cursor}&limit=${limit}`;

test('D14 a service that never ran has no log and a cursor to begin with; then every line of every start', async () => {
  const { place, giveUp } = await placedInstances(api.databases.ops, 'web', 'testbox');
  const nothing = await read();
  expect(nothing).toMatchObject({ logs: [], epoch: null, truncated: false, has_more: false });

  const { instance } = await place('one.candidate');
  const one = folders.begin({ segment_bytes: 1_000, segments: 5 }, instance);
  one.write('a\nb\nc\nhal');
  const first = await read(on(nothing.cursor, 2));
  expect(first).toMatchObject({ logs: ['a', 'b'], epoch: instance, truncated: false, has_more: true });
  const second = await read(on(first.cursor));
  expect(second).toMatchObject({ logs: ['c'], start_cursor: first.cursor, cursor: first.end_cursor, has_more: false });
  expect(await read('?limit=1')).toMatchObject({ logs: ['c'], cursor: second.cursor, end_cursor: second.cursor });

  await place('two.candidate');
  const two = folders.begin({ segment_bytes: 1_000, segments: 5 }, 'two.candidate');
  two.write('https://bob:hunter2@example.org\n');
  one.write('f\n');
  one.end();
  await giveUp(instance);
  const third = await read(on(second.cursor));
  expect(third).toMatchObject({ logs: ['half'], epoch: instance, has_more: true });
  const fourth = await read(on(third.cursor));
  expect(fourth).toMatchObject({ logs: ['https://[redacted]@example.org'], epoch: 'two.candidate', truncated: false });
  expect(fourth.cursor).toBe(third.end_cursor);
  expect(await read()).toMatchObject({ logs: fourth.logs, cursor: fourth.cursor, has_more: false });
  two.end();
});

test('D14 lines that were rotated away: truncated', async () => {
  const { place } = await placedInstances(api.databases.ops, 'web', 'testbox');
  const before = await read();
  await place('three.candidate');
  const log = folders.begin({ segment_bytes: 10, segments: 2 }, 'three.candidate');
  for (let line = 0; line < 100; line += 1) log.write(`line ${line}\n`);
  expect(await read(on(before.cursor))).toMatchObject({ truncated: true, epoch: 'three.candidate' });
  log.end();
});

test('D14 bad cursors and limits are refused', async () => {
  await placedInstances(api.databases.ops, 'other', 'testbox');
  const ofOther = JSON.parse((await ask('', 'other')).text) as ServiceLogPage;
  for (const query of [
    '?cursor=',
    '?cursor=nonsense',
    `?cursor=${ofOther.cursor}`,
    `?cursor=${'x'.repeat(2_000)}`,
    '?cursor=a&cursor=b',
    '?limit=0',
    '?limit=1001',
    '?limit=many',
    '?lines=5',
  ]) {
    const { status, body } = await ask(query);
    expect([query, status, body.type]).toEqual([query, 400, 'urn:holdfast:problem:invalid_request']);
  }
  expect((await ask('?cursor=nonsense')).body.errors).toEqual([
    { path: 'cursor', message: 'not a cursor of this log' },
  ]);
});

test('D14 the log of a service on another box is there, and the answer names that box', async () => {
  await api.ask('PUT', '/v1/services/far', { token: api.tokens.admin, body: { ...smallestSpec, box: 'attic' } });
  const { status, body } = await ask('', 'far');
  expect([status, body.type]).toEqual([503, 'urn:holdfast:problem:unavailable']);
  expect(body.detail).toContain('attic');
});

test('D14 an unknown service has no log', async () => {
  expect((await ask('', 'nobody')).status).toBe(404);
});
