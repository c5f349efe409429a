import { randomUUID } from 'node:crypto';
import { actions, type Action, type ActionName } from '../../domain/action.ts';
import type { Role } from '../../domain/role.ts';
import { startApi, type Reply, type TestApi } from './start-api.ts';

let api: TestApi;
const own = 'p01-own';
const other = 'p02-other';
const ids = { wave: '', proposal: '', evaluation: '', memory: '' };
const scoped = new Map<Role, string>();

beforeAll(async () => {
  api = await startApi();
  for (const project of [own, other]) await register(project);
  ids.wave = randomUUID();
  await api.databases.ops`
    insert into waves (id, project, name, kind, trigger, actor, request, result, workflow_id)
    values (${ids.wave}, ${other}, 'refresh', 'corpus', 'operator', 'anna', '{}', '{}', ${`wave/${other}`})`;
  ids.evaluation = randomUUID();
  await api.databases.ops`
    insert into evaluations (id, subject, project, question_set, settings, result, actor)
    values (${ids.evaluation}, ${`project/${other}/q`}, ${other}, 'q', '{}', '{}', 'anna')`;
  ids.memory = randomUUID();
  await api.databases.data`
    insert into memories (id, type, project, text, provenance, confidence, terms, weights, actor)
    values (${ids.memory}, 'knowledge', ${other}, 'a secret', '{"kind":"person"}', 1, '{}', '{}', 'anna')`;
  for (const role of ['viewer', 'agent', 'operator'] as const) {
    const made = await create({ actor: `scoped-${role}`, role, projects: [own] });
    expect(made.status).toBe(201);
    scoped.set(role, made.body.token);
  }
});
afterAll(() => api.close());

const create = (body: object): Promise<Reply> => api.ask('POST', '/v1/tokens', { body, token: api.tokens.admin });

async function register(project: string): Promise<void> {
  const spec = { title: 'T', aliases: [`alias of ${project}`], sources: [{ kind: 'upload', name: 'files' }] };
  const proposed = await api.ask('POST', '/v1/projects/proposals', {
    body: { project, spec },
    token: api.tokens.agent,
  });
  ids.proposal = proposed.body.id;
  expect((await api.ask('POST', `/v1/projects/proposals/${ids.proposal}/approve`, { body: {} })).status).toBe(200);
}

const tokenOf = (role: Role): string => scoped.get(role) ?? '';

/** A request for what is of the other project, as nearly right as it can be without knowing the action. */
function askedOf(name: ActionName): { method: string; path: string; body: object } {
  const { method, path }: Action = actions[name];
  const id = /^\/v1\/waves\//.test(path)
    ? ids.wave
    : path.includes('/proposals/{id}')
      ? ids.proposal
      : path.includes('/evaluations/')
        ? ids.evaluation
        : path.includes('/memories/')
          ? ids.memory
          : other;
  const query = path.endsWith('/files') && method !== 'get' ? '?path=a.md' : '';
  const filled = path.replace('{id}', id).replace(/\{\w+\}/g, 'files') + query;
  const bodies: Partial<Record<ActionName, object>> = {
    search: { query: 'q', projects: [`Alias of ${other}`] },
    memory_search: { query: 'q', projects: [`Alias of ${other}`] },
    memory_create: { type: 'knowledge', text: 'x', provenance: { kind: 'person' }, project: other },
    evaluation_start: { project: other, question_set: 'q' },
    project_propose: { project: other, spec: { title: 'T', sources: [{ kind: 'upload', name: 'files' }] } },
    project_refine_propose: { base_version: 1, spec: { title: 'U' }, reason: 'because' },
    question_set_put: { questions: [{ id: 'q', query: 'q', relevant: [{ path: 'a.md' }] }] },
    project_rollback: { reason: 'because' },
    proposal_reject: { reason: 'because' },
  };
  return { method: method.toUpperCase(), path: filled, body: bodies[name] ?? {} };
}

const open = new Set<string>(['health_show', 'template_list', 'project_list', 'proposal_list', 'evaluation_list']);

test.each((Object.keys(actions) as ActionName[]).filter((name) => !open.has(name) && name !== 'project_webhook'))(
  'O2 a token for one project cannot ask %s of another, and learns nothing of it',
  async (name) => {
    const { method, path, body } = askedOf(name);
    const takesBody = method === 'POST' || method === 'PUT';
    const reply = await api.ask(method, path, { token: tokenOf('operator'), ...(takesBody ? { body } : {}) });
    expect([403, 404]).toContain(reply.status);
    const nobody = await api.ask(method, path.replace(other, 'p99-nobody'), { token: tokenOf('operator') });
    // Not there, or not to be seen: in the same words.
    if (reply.status === 404 && path.includes(other) && !takesBody)
      expect(reply.body.detail.replace(other, '')).toBe(nobody.body.detail.replace('p99-nobody', ''));
  },
);

test('O2 it sees its own, in lists and by name, and searches it', async () => {
  const [token, agent] = [tokenOf('viewer'), tokenOf('agent')];
  const listed = await api.ask('GET', '/v1/projects', { token });
  expect(listed.body.items.map((each) => (each as unknown as { project: string }).project)).toEqual([own]);
  const proposals = await api.ask('GET', '/v1/projects/proposals', { token });
  expect(proposals.body.items.map((each) => (each as unknown as { project: string }).project)).toEqual([own]);
  expect((await api.ask('GET', '/v1/evaluations', { token })).body.items).toEqual([]);
  expect((await api.ask('GET', `/v1/projects/${own}/waves`, { token })).status).toBe(200);
  const found = await api.ask('POST', '/v1/search', { token, body: { query: 'q', projects: [`ALIAS OF ${own}`] } });
  expect(found.status).toBe(200);
  const body = { base_version: 1, spec: { title: 'U' }, reason: 'because' };
  expect((await api.ask('POST', `/v1/projects/${own}/proposals`, { token: agent, body })).status).toBe(201);
  const both = { query: 'q', projects: [own, other] };
  expect((await api.ask('POST', '/v1/search', { token, body: both })).status).toBe(404);
});

test('O2 W1 a person for other projects is no second person here', async () => {
  const made = await create({ actor: 'carol', role: 'operator', projects: [own] });
  const live = (project: string) =>
    api.parts.approvers.whileTheyStand({ tokenId: made.body.id, project }, async ({ approver, people }) => [
      approver?.actor,
      people.includes('carol'),
    ]);
  await expect(live(own)).resolves.toEqual(['carol', true]);
  await expect(live(other)).resolves.toEqual([undefined, false]);
});

test('O2 an administrator is one of everything, and a token says what it is for', async () => {
  expect((await create({ actor: 'dora', role: 'admin', projects: [own] })).status).toBe(400);
  expect((await create({ actor: 'dora', role: 'viewer', projects: [] })).status).toBe(400);
  const list = await api.ask('GET', '/v1/tokens', { token: api.tokens.admin });
  const shown = list.body.items as unknown as { actor: string; projects: string[] | null }[];
  expect(shown.find(({ actor }) => actor === 'scoped-agent')?.projects).toEqual([own]);
  expect(shown.find(({ actor }) => actor === 'admin')?.projects).toBeNull();
});
