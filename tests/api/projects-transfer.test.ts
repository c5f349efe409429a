import { pageOf } from '../../domain/answer.ts';
import { proposalSchema } from '../../domain/project/schemas.ts';
import { importResultSchema, transferLineSchema, type LineResult } from '../../domain/project/transfer.ts';
import { startApi, type TestApi } from './start-api.ts';

let apis: TestApi[];
beforeEach(async () => (apis = [await startApi()]));
afterEach(() => Promise.all(apis.map((api) => api.close())));

const uploads = { kind: 'upload', name: 'files' };
const question = { id: 'q1', query: 'Where?', relevant: [{ path: 'a.md' }] };
const registration = (project: string, spec: object = {}) => ({
  ...{ kind: 'registration', project, external_id: `old/${project}` },
  spec: { title: 'T', sources: [uploads], ...spec },
});
const questions = (project: string, name = 'canary') => ({
  kind: 'question_set',
  project,
  name,
  questions: [question],
});

async function imported(api: TestApi, lines: readonly unknown[], dry_run = false): Promise<LineResult[]> {
  const reply = await api.ask('POST', '/v1/import', { body: { lines, dry_run } });
  expect([reply.status, reply.text]).toEqual([200, expect.any(String)]);
  return importResultSchema.parse(reply.body).lines;
}

const outcomes = (lines: readonly LineResult[]) => lines.map(({ outcome }) => outcome);

async function approveAll(api: TestApi): Promise<void> {
  const { body } = await api.ask('GET', '/v1/projects/proposals?state=proposed');
  for (const { id } of pageOf(proposalSchema, 'P').parse(body).items) {
    const reply = await api.ask('POST', `/v1/projects/proposals/${id}/approve`, { body: {}, token: api.tokens.admin });
    expect(reply.status).toBe(200);
  }
}

async function exported(api: TestApi, limit = 50): Promise<unknown[]> {
  const lines: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const reply = await api.ask('GET', `/v1/export?limit=${limit}${cursor && `&cursor=${cursor}`}`);
    const page = pageOf(transferLineSchema, 'P').parse(reply.body);
    lines.push(...page.items);
    cursor = page.next_cursor;
  }
  return lines;
}

const rows = (api: TestApi) => api.databases.data`
  select (select count(*)::int from registrations) as registrations, (select count(*)::int from question_sets) as sets,
    (select count(*)::int from outbox) as outbox`;

test('C11 what is exported here and imported there, and approved there, is exported there the same', async () => {
  const [here, there] = [apis[0] as TestApi, await startApi()];
  apis.push(there);
  const item = { name: 'status', source: 'files', path: 's.md', kind: 'current_status', as_of: '2026-01-01T00:00:00Z' };
  const policy = { wave_approval: 'required', trusted_waves: [{ name: 'state', items: [item] }] };
  const lines = [
    registration('p04-gigabit', { aliases: ['LAN'], policy }),
    registration('p05-notes', { box: 'attic' }),
  ];
  expect(outcomes(await imported(here, lines))).toEqual(['proposed', 'proposed']);
  await approveAll(here);
  expect(outcomes(await imported(here, [questions('p04-gigabit'), questions('p05-notes')]))).toEqual([
    'stored',
    'stored',
  ]);

  const first = await exported(here);
  expect(first).toMatchObject([
    { kind: 'registration', project: 'p04-gigabit', external_id: 'old/p04-gigabit', version: 1, spec: { policy } },
    { kind: 'question_set', project: 'p04-gigabit', name: 'canary' },
    { kind: 'registration', project: 'p05-notes', spec: { box: 'attic' } },
    { kind: 'question_set', project: 'p05-notes' },
  ]);
  expect((first[0] as { spec: object }).spec).not.toHaveProperty('box');
  expect(await exported(here, 1)).toEqual(first);

  expect(outcomes(await imported(there, first))).toEqual(['proposed', 'waiting', 'proposed', 'waiting']);
  await approveAll(there);
  expect(outcomes(await imported(there, first))).toEqual(['unchanged', 'stored', 'unchanged', 'stored']);
  expect(outcomes(await imported(there, first))).toEqual(['unchanged', 'unchanged', 'unchanged', 'unchanged']);
  expect(await exported(there)).toEqual(first);
});

test('C11 a dry run says the same and leaves nothing', async () => {
  const [api] = apis as [TestApi];
  await imported(api, [registration('p04-gigabit')]);
  await approveAll(api);
  const before = await rows(api);
  const lines = [
    registration('p04-gigabit', { title: 'New' }),
    questions('p04-gigabit'),
    registration('p05-notes'),
    {},
  ];
  const tried = await imported(api, lines, true);
  expect(outcomes(tried)).toEqual(['proposed', 'stored', 'proposed', 'refused']);
  expect(await rows(api)).toEqual(before);
  expect(await imported(api, lines)).toEqual(tried);
  expect(await rows(api)).not.toEqual(before);
});

test('C11 the same line again is the same proposal, whatever became of it; a changed one is a refinement', async () => {
  const [api] = apis as [TestApi];
  const line = registration('p04-gigabit');
  const [first, again] = [await imported(api, [line]), await imported(api, [line, line])];
  expect(outcomes(again)).toEqual(['unchanged', 'unchanged']);
  expect(new Set([...first, ...again].map(({ proposal_id }) => proposal_id)).size).toBe(1);
  await approveAll(api);
  const changed = registration('p04-gigabit', { title: 'New' });
  const [refinement] = await imported(api, [changed]);
  const path = `/v1/projects/proposals/${refinement?.proposal_id ?? ''}`;
  const shown = proposalSchema.parse((await api.ask('GET', path)).body);
  expect(shown).toMatchObject({
    kind: 'refinement',
    base_version: 1,
    external_id: 'old/p04-gigabit',
    state: 'proposed',
  });
  await api.ask('POST', `${path}/reject`, { body: { reason: 'no' } });
  expect(await imported(api, [changed])).toMatchObject([
    { outcome: 'refused', detail: expect.stringContaining('rejected') as string },
  ]);
});

test('C11 an import puts nothing into force: who imported does not approve', async () => {
  const [api] = apis as [TestApi];
  const [line] = await imported(api, [registration('p04-gigabit')]);
  expect((await api.ask('GET', '/v1/projects/p04-gigabit')).status).toBe(404);
  const path = `/v1/projects/proposals/${line?.proposal_id ?? ''}/approve`;
  expect((await api.ask('POST', path, { body: { self_approve: true } })).status).toBe(409);
  expect((await api.ask('POST', '/v1/import', { body: { lines: [{}] }, token: api.tokens.agent })).status).toBe(403);
  expect((await api.ask('GET', '/v1/export', { token: api.tokens.agent })).status).toBe(403);
});

test('C11 a line that does not fit is refused with its reason, and the others are taken', async () => {
  const [api] = apis as [TestApi];
  await imported(api, [registration('p04-gigabit', { aliases: ['lan'] })]);
  await approveAll(api);
  const lines = [
    'text',
    { kind: 'memory', project: 'p04-gigabit' },
    registration('p05-notes', { aliases: ['LAN'] }),
    registration('p06-code', { sources: [{ kind: 'directory', name: 'x', path: '/etc' }] }),
    { ...registration('p07-other'), external_id: 'old/p04-gigabit' },
    registration('p08-bad', { title: '' }),
    { ...questions('p04-gigabit'), questions: [question, question] },
    registration('p09-good'),
  ];
  const results = await imported(api, lines);
  expect(results.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(outcomes(results)).toEqual([...Array.from({ length: 7 }, () => 'refused'), 'proposed']);
  const details = [
    /object/,
    /kind/,
    /lan is a name of the project p04/,
    /not inside a root/,
    /of the project p04/,
    /title/,
  ];
  for (const [at, detail] of details.entries())
    expect([at, results[at]?.detail]).toEqual([at, expect.stringMatching(detail)]);
  expect(results[6]?.detail).toMatch(/two questions of one id/);
});
