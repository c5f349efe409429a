import { createLockStore } from '../../adapters/postgres/locks.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
}, 60_000);
afterAll(() => api.close());

const restore = { workflow_id: 'restore', run_id: 'r1' };
const proposal = { project: 'notes', spec: { title: 'Notes', sources: [{ kind: 'upload', name: 'docs' }] } };

test('B6 while a restore has the data, writing is a 503 that says when to come again; reading goes on', async () => {
  const locks = createLockStore(api.databases.ops);
  // Waves, backups and promotions share them: nobody is kept out.
  await locks.acquire([{ resource: 'data', mode: 'shared' }], { workflow_id: 'wave/a', run_id: 'w1' });
  expect((await api.ask('POST', '/v1/projects/proposals', { body: proposal })).status).toBe(201);
  await locks.releaseRun('w1');

  await locks.acquire([{ resource: 'data', mode: 'exclusive' }], restore);
  const refused = await api.ask('POST', '/v1/projects/proposals', { body: { ...proposal, project: 'other' } });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10']);
  expect(refused.body.detail).toContain('Data are being restored (restore)');
  for (const path of ['/health', '/v1/projects', '/v1/projects/proposals', '/v1/backups', '/v1/restores'])
    expect([path, (await api.ask('GET', path)).status]).toEqual([path, 200]);
  // A question is no change, and what was asked of it is looked at as ever.
  expect((await api.ask('POST', '/v1/search', { body: { query: 'x', projects: ['nobody'] } })).status).toBe(404);
  // Nobody waits for a restore to let one go.
  const id = '00000000-0000-4000-8000-000000000000';
  expect((await api.ask('POST', `/v1/restores/${id}/undo`, { body: {} })).status).toBe(404);

  await locks.releaseRun('r1');
  const again = await api.ask('POST', '/v1/projects/proposals', { body: { ...proposal, project: 'other' } });
  expect(again.status).toBe(201);
});
