import { serviceSchema } from '../../domain/service.ts';
import { smallestSpec, startApi, type TestApi } from './start-api.ts';

let api: TestApi;
beforeAll(async () => (api = await startApi()));
afterAll(() => api.close());

test('O1 registering is 201 with Location, changing is 200, and both are in the audit', async () => {
  const first = await api.ask('PUT', '/v1/services/web', { body: smallestSpec });
  expect(first.status).toBe(201);
  expect(first.headers.get('location')).toBe('/v1/services/web');
  expect(serviceSchema.parse(first.body)).toMatchObject({
    name: 'web',
    desired: { release_id: null, state: 'stopped', epoch: 0 },
    safe_mode: false,
  });
  expect(first.body.spec.box).toBe('testbox');
  const changed = { ...smallestSpec, box: 'other' };
  const second = await api.ask('PUT', '/v1/services/web', { body: changed });
  expect([second.status, second.body.spec.box]).toEqual([200, 'other']);
  expect((await api.ask('GET', '/v1/services/web')).body).toEqual(second.body);
  const { body } = await api.ask('GET', '/v1/events?subject=service/web');
  expect(body.items.map(({ type, actor }) => [type, actor])).toEqual([
    ['service.registered', 'admin'],
    ['service.changed', 'admin'],
  ]);
});

test('O2 values of the environment and credentials in URLs are in no answer and no log line', async () => {
  const secrets = ['env-hunter2', 'url-hunter2', 'query-hunter2', 'probe-hunter2', 'p@ss-hunter2'];
  const body = {
    source: { git: 'https://bob:url-hunter2@git.example/web.git?access_token=query-hunter2' },
    build: [{ argv: ['curl', 'https://bob:p@ss-hunter2@files.example/x'] }],
    run: { argv: ['node', 'web.js'], env: { PASSWORD: 'env-hunter2', A: '' } },
    probes: { http: { url: 'http://probe:probe-hunter2@127.0.0.1:9/health' } },
  };
  const replies = [
    await api.ask('PUT', '/v1/services/secretive', { body }),
    await api.ask('PUT', '/v1/services/secretive', { body: { ...body, extra: 'env-hunter2' } }),
    await api.ask('GET', '/v1/services/secretive?access_token=query-hunter2'),
    await api.ask('GET', '/v1/services/secretive'),
    await api.ask('GET', '/v1/services'),
    await api.ask('GET', '/v1/events'),
    await api.ask('GET', `/v1/${api.tokens.admin}`),
  ];
  expect(replies.map(({ status }) => status)).toEqual([201, 400, 400, 200, 200, 200, 404]);
  expect(replies[0]?.body.spec.run.env).toEqual(['A', 'PASSWORD']);
  expect(replies[0]?.body.spec.source.git).toBe('https://[redacted]@git.example/web.git?access_token=[redacted]');
  const everything = replies.map(({ text }) => text).join() + api.logged();
  for (const secret of secrets) expect(everything).not.toContain(secret);
  for (const token of Object.values(api.tokens))
    expect(api.logged()).not.toContain(token.split('_').slice(2).join('_'));
  const stored = await api.parts.services.find('secretive');
  expect(stored?.spec.run.env).toEqual({ PASSWORD: 'env-hunter2', A: '' });
});

test('O1 an unknown service is 404 wherever it is named', async () => {
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/releases'],
    ['GET', '/deploys'],
    ['POST', '/deploys'],
    ['POST', '/stop'],
    ['DELETE', '/safe_mode'],
  ] as const) {
    expect((await api.ask(method, `/v1/services/nobody${path}`)).status).toBe(404);
  }
});

test('O1 a list comes in pages; a cursor leads to the next and the last has none', async () => {
  for (const name of ['page-a', 'page-b', 'page-c'])
    await api.ask('PUT', `/v1/services/${name}`, { body: smallestSpec });
  const names: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const reply = await api.ask('GET', `/v1/services?limit=2${cursor && `&cursor=${cursor}`}`);
    expect(reply.body.items.length).toBeLessThanOrEqual(2);
    names.push(...reply.body.items.map(({ name }) => name));
    cursor = reply.body.next_cursor;
  }
  const rows = await api.databases.ops<{ name: string }[]>`select name from services order by name`;
  expect(names).toEqual(rows.map(({ name }) => name));
});

test('O1 a cursor that was made up, or is of another list, is 400', async () => {
  const { body } = await api.ask('GET', '/v1/services?limit=1');
  for (const path of [
    '/v1/services?cursor=nonsense',
    '/v1/services?cursor=',
    `/v1/services?cursor=${Buffer.from('["service_list",7]').toString('base64url')}`,
    `/v1/events?cursor=${body.next_cursor}`,
  ]) {
    expect([path, (await api.ask('GET', path)).status]).toEqual([path, 400]);
  }
});

test('D10 clearing safe mode is 204 and in the audit once; when there is none it changes nothing', async () => {
  await api.ask('PUT', '/v1/services/safe', { body: smallestSpec });
  await api.parts.services.setSafeMode('safe');
  expect((await api.ask('GET', '/v1/services/safe')).body.safe_mode).toBe(true);
  expect((await api.ask('DELETE', '/v1/services/safe/safe_mode')).status).toBe(204);
  expect((await api.ask('DELETE', '/v1/services/safe/safe_mode')).status).toBe(204);
  expect((await api.ask('GET', '/v1/services/safe')).body.safe_mode).toBe(false);
  const { body } = await api.ask('GET', '/v1/events?subject=service/safe');
  expect(body.items.filter(({ type }) => type === 'safe_mode.cleared')).toHaveLength(1);
});

test('D2 releases of a service', async () => {
  await api.ask('PUT', '/v1/services/releasing', { body: smallestSpec });
  await api.parts.services.recordBuilt('releasing', {
    ...{ release_id: 'a'.repeat(40), digest: 'd', config_hash: 'c', branch: 'main', committed_at: null },
    ...{ schema_version: 3, schema_reads_to: null },
  });
  const { body } = await api.ask('GET', '/v1/services/releasing/releases');
  expect(body).toMatchObject({
    items: [{ release_id: 'a'.repeat(40), standing: 'built', promoted_at: null, soaked_at: null, schema_version: 3 }],
    next_cursor: null,
  });
});
