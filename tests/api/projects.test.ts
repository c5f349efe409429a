import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pageOf } from '../../domain/answer.ts';
import { eventSchema } from '../../domain/event.ts';
import { questionSetSchema } from '../../domain/project/question-set.ts';
import {
  foundProjectSchema,
  projectSchema,
  proposalSchema,
  templateNames,
  templateSchema,
  type Proposal,
} from '../../domain/project/schemas.ts';
import { startApi, type Reply, type TestApi } from './start-api.ts';

let api: TestApi;
let notes: string;
beforeAll(async () => {
  api = await startApi();
  notes = join(api.home, 'sources/notes');
  mkdirSync(notes, { recursive: true });
});
afterAll(() => api.close());

let names = 0;
const aName = () => `p${String((names += 1)).padStart(2, '0')}-project`;
const uploads = { kind: 'upload', name: 'files' } as const;
const request = (project: string, spec: object = {}) => ({
  project,
  spec: { title: 'T', sources: [uploads], ...spec },
});

const post = (path: string, body: object, token = api.tokens.agent, headers = {}) =>
  api.ask('POST', `/v1/projects${path}`, { body, token, headers });

async function proposed(body: object, token = api.tokens.agent): Promise<Proposal> {
  const reply = await post('/proposals', body, token);
  expect([reply.status, reply.text]).toEqual([201, expect.any(String)]);
  return proposalSchema.parse(reply.body);
}

const approve = ({ id }: { id: string }, token = api.tokens.operator, body = {}) =>
  post(`/proposals/${id}/approve`, body, token);

async function registered(spec: object = {}): Promise<string> {
  const name = aName();
  expect((await approve(await proposed(request(name, spec)))).status).toBe(200);
  return name;
}

const kindOf = ({ body }: Reply) => body.type.replace('urn:holdfast:problem:', '');

test('W1 an agent proposes, a person approves, and then it is a project; each is in the audit', async () => {
  const name = aName();
  const reply = await post('/proposals', request(name, { aliases: ['Küche'] }));
  const proposal = proposalSchema.parse(reply.body);
  expect([reply.status, reply.headers.get('location')]).toEqual([201, `/v1/projects/proposals/${proposal.id}`]);
  expect(proposal).toMatchObject({
    state: 'proposed',
    proposed_by: 'agent',
    template: 'plain',
    spec: { box: 'testbox' },
  });
  expect((await api.ask('GET', `/v1/projects/${name}`)).status).toBe(404);

  expect((await approve(proposal, api.tokens.agent)).status).toBe(403);
  const approved = proposalSchema.parse((await approve(proposal)).body);
  expect(approved).toMatchObject({ state: 'approved', version: 1, decided_by: 'operator', self_approved: false });
  const shown = foundProjectSchema.parse((await api.ask('GET', `/v1/projects/${name}`)).body);
  expect(shown).toMatchObject({ project: name, resolved_by: 'id', version: 1, visible: 0, held: false });
  const byAlias = await api.ask('GET', `/v1/projects/${encodeURIComponent('KÜCHE')}`, { token: api.tokens.viewer });
  expect(byAlias.body).toEqual({ ...shown, resolved_by: 'alias' });

  const events = pageOf(eventSchema, 'P').parse((await api.ask('GET', `/v1/events?subject=project/${name}`)).body);
  expect(
    events.items.map(({ type, actor, data }) => [type, actor, data['proposal_id'], data['self_approved']]),
  ).toEqual([
    ['project.proposed', 'agent', proposal.id, undefined],
    ['project.approved', 'operator', proposal.id, false],
  ]);
});

test('W1 what one proposed oneself another person approves; saying so does not help', async () => {
  const proposal = await proposed(request(aName()), api.tokens.operator);
  for (const body of [{}, { self_approve: true }]) {
    const refused = await approve(proposal, api.tokens.operator, body);
    expect([refused.status, refused.body.detail]).toEqual([409, expect.stringContaining('admin can')]);
  }
  expect(proposalSchema.parse((await approve(proposal, api.tokens.admin)).body)).toMatchObject({
    ...{ decided_by: 'admin', self_approved: false },
  });
});

test('W1 where there is one person, self_approve is said, done and recorded', async () => {
  const alone = await startApi();
  try {
    await alone.databases.ops`update tokens set revoked_at = now() where role = 'admin'`;
    const ask = (path: string, body: object) => alone.ask('POST', `/v1/projects/proposals${path}`, { body });
    const { id } = proposalSchema.parse((await ask('', request('p04-gigabit'))).body);
    const unsaid = await ask(`/${id}/approve`, {});
    expect([unsaid.status, unsaid.body.next]).toEqual([409, expect.stringContaining('--self-approve')]);
    const { body } = await ask(`/${id}/approve`, { self_approve: true });
    expect(proposalSchema.parse(body)).toMatchObject({
      state: 'approved',
      self_approved: true,
      decided_by: 'operator',
    });
    const [event] = await alone.databases.ops`select data from events where type = 'project.approved'`;
    expect(event?.['data']).toMatchObject({ self_approved: true, proposed_by: 'operator' });
  } finally {
    await alone.close();
  }
});

test('W1 a refinement names the version it was made from; what it leaves out stays', async () => {
  const name = await registered({ aliases: [`${aName()} alias`] });
  const refine = (base_version: number, spec: object) =>
    post(`/${name}/proposals`, { base_version, spec, reason: 'better' });
  const first = proposalSchema.parse((await refine(1, { title: 'Renamed' })).body);
  const second = proposalSchema.parse((await refine(1, { description: 'D' })).body);
  expect(first).toMatchObject({ kind: 'refinement', base_version: 1, outdated: false });
  expect(proposalSchema.parse((await approve(first)).body).version).toBe(2);
  const shown = projectSchema.parse((await api.ask('GET', `/v1/projects/${name}`)).body);
  expect(shown.spec).toMatchObject({ title: 'Renamed', description: '', sources: [uploads] });
  expect(shown.spec.aliases).toHaveLength(1);

  for (const late of [await approve(second), await refine(1, {})])
    expect([late.status, late.body.next]).toEqual([409, expect.stringContaining(`--base 2`)]);
  expect((await api.ask('GET', `/v1/projects/proposals/${second.id}`)).body).toMatchObject({ outdated: true });
  expect((await post('/proposals', request(name))).status).toBe(409);
  expect((await post('/p99-nobody/proposals', { base_version: 1, spec: {}, reason: 'r' })).status).toBe(404);
});

test('W1 proposals are listed by state and project, rejected with a reason, withdrawn by whoever made them', async () => {
  const name = aName();
  const [one, other] = [await proposed(request(name)), await proposed(request(name))];
  expect((await post(`/proposals/${one.id}/withdraw`, {}, api.tokens.operator)).status).toBe(403);
  expect((await post(`/proposals/${one.id}/withdraw`, {})).body).toMatchObject({ state: 'withdrawn' });
  expect((await post(`/proposals/${other.id}/reject`, {}, api.tokens.operator)).status).toBe(400);
  const no = { reason: 'twice' };
  expect((await post(`/proposals/${other.id}/reject`, no, api.tokens.agent)).status).toBe(403);
  expect((await post(`/proposals/${other.id}/reject`, no, api.tokens.operator)).body).toMatchObject({
    ...{ state: 'rejected', decision_reason: 'twice' },
  });
  expect((await approve(other)).status).toBe(409);
  const listed = async (query: string) =>
    pageOf(proposalSchema, 'P')
      .parse((await api.ask('GET', `/v1/projects/proposals?project=${name}${query}`)).body)
      .items.map(({ id }) => id);
  expect(await listed('')).toEqual([other.id, one.id]);
  expect(await listed('&state=withdrawn')).toEqual([one.id]);
  expect(await listed('&state=proposed')).toEqual([]);
  const { body } = await api.ask('GET', `/v1/projects/proposals?project=${name}&limit=1`);
  expect(await listed(`&limit=1&cursor=${String(body.next_cursor)}`)).toEqual([one.id]);
});

test('O1 the same idempotency key is the same proposal, also when its answer was not noted down', async () => {
  const body = request(aName());
  const keyed = () => post('/proposals', body, api.tokens.agent, { 'idempotency-key': 'once' });
  const first = await keyed();
  await api.databases.ops`delete from idempotency_keys where key = 'once'`;
  const again = await keyed();
  expect([again.status, again.body.id]).toEqual([201, first.body.id]);
  expect(await api.databases.data`select 1 from registrations where project = ${body.project}`).toHaveLength(1);
});

test('W1 a name that another project has is refused, and whose it is', async () => {
  const name = await registered();
  const reply = await post('/proposals', request(aName(), { aliases: [name.toUpperCase()] }));
  expect([reply.status, reply.body.detail]).toEqual([409, `${name} is a name of the project ${name}.`]);
});

describe('W3 where a source may be', () => {
  const directory = (path: string) => ({ sources: [{ kind: 'directory', name: 'main', path }] });
  const repository = (url: string) => ({ sources: [{ kind: 'git', name: 'main', url }] });

  test('inside an allowed root it may be proposed', async () => {
    const specs = [directory(notes), repository(`file://${notes}`)];
    for (const spec of specs) expect(await proposed(request(aName(), spec))).toMatchObject({ spec });
  });

  test.each([
    ['a folder outside', () => directory(tmpdir()), 'path', 'not inside a root'],
    ['the data folder itself', () => directory(api.home), 'path', 'not inside a root'],
    ['a folder that is not there', () => directory(`${notes}/none`), 'path', 'not there'],
    ['a local repository outside', () => repository('/etc'), 'url', 'not inside a root'],
    ['one by its URL', () => repository('file:///etc'), 'url', 'not inside a root'],
  ])('%s is refused', async (_what, spec, field, message) => {
    const reply = await post('/proposals', request(aName(), spec()));
    expect([reply.status, reply.body.next]).toEqual([400, expect.stringContaining('HOLDFAST_SOURCE_ROOTS')]);
    expect(reply.body.errors).toEqual([
      { path: `spec.sources.0.${field}`, message: expect.stringContaining(message) as string },
    ]);
  });

  test('a folder that became a link to the outside is refused by the approval', async () => {
    const folder = join(api.home, 'sources/swapped');
    mkdirSync(folder);
    const name = aName();
    const proposal = await proposed(request(name, directory(folder)));
    rmSync(folder, { recursive: true });
    symlinkSync('/etc', folder);
    const reply = await approve(proposal);
    expect([reply.status, reply.body.detail]).toEqual([409, expect.stringContaining('not inside a root')]);
    expect((await api.ask('GET', `/v1/projects/${name}`)).status).toBe(404);
    expect((await post('/proposals', request(aName(), directory(folder)))).status).toBe(400);
  });
});

test.each([
  ['no title', { spec: { sources: [uploads] } }],
  ['no source', { spec: { title: 'T' } }],
  ['an id that is none', { project: 'P 04' }],
  ['a word of the API', { project: 'proposals' }],
  ['an unknown template', { template: 'none' }],
  ['an unknown field', { spec: { title: 'T', sources: [uploads], secret: 'hunter2' } }],
  ['an unknown kind of source', { spec: { title: 'T', sources: [{ kind: 'ftp', name: 'x' }] } }],
  ['a password', { spec: { title: 'T', sources: [{ kind: 'git', name: 'x', url: 'https://a:hunter2@b.example/x' }] } }],
])('W1 a proposal with %s is refused, and what was sent is not repeated', async (_what, more) => {
  const reply = await post('/proposals', { ...request(aName()), ...more });
  expect([reply.status, kindOf(reply)]).toEqual([400, 'invalid_request']);
  expect(reply.text + api.logged()).not.toContain('hunter2');
});

test('C9 a question set is stored whole, listed, shown and counted in the audit once', async () => {
  const name = await registered({ aliases: ['Fragen'] });
  const questions = [{ id: 'q1', query: 'Where?', relevant: [{ path: 'a.md' }] }];
  const put = (body: object, of = name) => api.ask('PUT', `/v1/projects/${of}/question_sets/canary`, { body });
  expect((await put({ questions })).status).toBe(201);
  expect((await put({ questions }, 'fragen')).status).toBe(200);
  const shown = questionSetSchema.parse((await api.ask('GET', `/v1/projects/fragen/question_sets/canary`)).body);
  expect(shown).toMatchObject({
    ...{ project: name, name: 'canary' },
    questions: [{ id: 'q1', query: 'Where?', relevant: [{ source: null, path: 'a.md', heading: null, grade: 1 }] }],
  });
  const { body } = await api.ask('GET', `/v1/projects/${name}/question_sets`);
  expect(body.items).toMatchObject([{ name: 'canary', questions: 1 }]);
  const events = await api.databases
    .ops`select 1 from events where type like 'question_set.%' and subject = ${`project/${name}`}`;
  expect(events).toHaveLength(1);
  for (const wrong of [[], [...questions, ...questions], [{ id: 'q', query: ' ', relevant: [{ path: 'a' }] }]])
    expect((await put({ questions: wrong })).status).toBe(400);
  expect((await put({ questions }, 'p99-nobody')).status).toBe(404);
  expect((await api.ask('GET', `/v1/projects/${name}/question_sets/none`)).status).toBe(404);
});

test('W1 templates say what a proposal that leaves it out is given', async () => {
  const { items } = pageOf(templateSchema, 'P').parse((await api.ask('GET', '/v1/projects/templates')).body);
  expect(items.map(({ name }) => name)).toEqual([...templateNames]);
  const uploads = await proposed({ ...request(aName()), template: 'uploads' });
  expect(uploads.spec.policy).toEqual(items.find(({ name }) => name === 'uploads')?.spec['policy']);
});

test('O1 projects are listed by id, in pages', async () => {
  await registered();
  await registered();
  const page = pageOf(projectSchema, 'P');
  const first = page.parse((await api.ask('GET', '/v1/projects?limit=1')).body);
  const second = page.parse((await api.ask('GET', `/v1/projects?limit=1&cursor=${String(first.next_cursor)}`)).body);
  expect((first.items[0]?.project ?? '') < (second.items[0]?.project ?? '')).toBe(true);
});
