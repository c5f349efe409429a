import { randomUUID } from 'node:crypto';
import { memoryCollection } from '../../adapters/memories/collection.ts';
import { createMemoryReconciliation } from '../../adapters/memories/reconcile.ts';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';
import {
  createdMemorySchema,
  memorySchema,
  memorySearchAnswerSchema,
  type Memory,
} from '../../domain/memory/schemas.ts';
import { wordEmbedder } from '../adapters/search/world.ts';
import { servers } from '../support/servers.ts';
import { startApi, type TestApi } from './start-api.ts';

const embeddings = wordEmbedder();
let api: TestApi;
beforeAll(async () => {
  api = await startApi({ embeddings });
  const { data } = api.databases;
  for (const id of ['p04-gigabit', 'p05-garden']) {
    const spec = { title: id, aliases: [], sources: [{ kind: 'upload', name: 'notes' }], box: 'here' };
    await data`insert into projects (id, version, spec) values (${id}, 1, ${data.json(spec)})`;
    await data`insert into project_names (name, project) values (${id}, ${id})`;
  }
  await data`insert into project_names (name, project) values ('gigabit lan', 'p04-gigabit')`;
  // As a worker does at boot: a collection takes long to make on a busy machine.
  const { ops } = api.databases;
  const qdrant = connectQdrant(servers().qdrant);
  await createMemoryReconciliation({ data, ops, qdrant, embeddings }).all(new AbortController().signal);
});
afterAll(async () => {
  const collection = await memoryCollection(api.databases.data);
  if (collection !== null) await connectQdrant(servers().qdrant).deleteCollection(collection.name);
  await api.close();
});

const provenance = { kind: 'person' };

async function remember(body: object, headers = {}): Promise<Memory & { indexed: boolean }> {
  const full = { type: 'knowledge', provenance, ...body };
  const reply = await api.ask('POST', '/v1/memories', { body: full, headers });
  expect([reply.status, reply.text]).toEqual([201, reply.text]);
  return createdMemorySchema.parse(reply.body);
}

async function listed(query: string, token = api.tokens.viewer): Promise<string[]> {
  const reply = await api.ask('GET', `/v1/memories${query}`, { token });
  expect(reply.status).toBe(200);
  return reply.body.items.map(({ id }) => id);
}

test('C6 a memory is created, shown, listed, found and forgotten', async () => {
  const made = await remember({
    ...{ text: 'the hall has a gigabit switch', project: 'Gigabit LAN', confidence: 0.9 },
    provenance: { kind: 'document', uri: 'https://example.org/hall', reference: 'message-4' },
  });
  expect(made).toMatchObject({
    ...{ project: 'p04-gigabit', state: 'current', actor: 'operator', confidence: 0.9, indexed: true },
    provenance: { kind: 'document', uri: 'https://example.org/hall', reference: 'message-4' },
  });
  const shown = await api.ask('GET', `/v1/memories/${made.id}`, { token: api.tokens.viewer });
  expect({ ...memorySchema.parse(shown.body), indexed: true }).toEqual(made);
  expect(await listed('?project=p04-gigabit')).toEqual([made.id]);
  const search = { query: 'gigabit switch', projects: ['p04-gigabit'], limit: 1 };
  const found = await api.ask('POST', '/v1/memories/search', { body: search, token: api.tokens.viewer });
  const answer = memorySearchAnswerSchema.parse(found.body);
  expect([answer.hits.map(({ id }) => id), answer.degraded]).toEqual([[made.id], []]);

  const forgotten = await api.ask('POST', `/v1/memories/${made.id}/forget`, { body: { reason: 'wrong' } });
  expect([forgotten.status, forgotten.body]).toEqual([200, expect.objectContaining({ id: made.id, point: 'removed' })]);
  expect((await api.ask('GET', `/v1/memories/${made.id}`)).status).toBe(404);
  expect(await listed('?project=p04-gigabit')).toEqual([]);
  // The audit tells that, and not what it said.
  const events = await api.ask('GET', '/v1/events?subject=project/p04-gigabit');
  expect(events.text).toContain('memory.forgotten');
  expect(events.text).not.toContain('the hall has');
});

test('C6 a type that there is not is refused with the list of those there are', async () => {
  const reply = await api.ask('POST', '/v1/memories', { body: { type: 'mood', text: 'fine', provenance } });
  expect([reply.status, reply.body.detail]).toEqual([
    400,
    'type: one of identity, preference, project, episodic, knowledge, adaptation',
  ]);
});

test('C6 memories of a project that is not named are not answered', async () => {
  const [lan, none] = [
    await remember({ text: 'a secret of the lan', project: 'p04-gigabit' }),
    await remember({ text: 'a secret of nobody', type: 'identity' }),
  ];
  expect(await listed('')).toEqual([none.id]);
  expect(await listed('?project=p05-garden')).toEqual([]);
  const ask = async (projects: string[]) => {
    const body = { query: 'secret', projects };
    const reply = await api.ask('POST', '/v1/memories/search', { body });
    return memorySearchAnswerSchema.parse(reply.body).hits.map(({ id }) => id);
  };
  expect(await ask([])).toEqual([none.id]);
  expect(await ask(['p05-garden'])).toEqual([none.id]);
  expect((await ask(['p04-gigabit', 'gigabit lan'])).sort()).toEqual([lan.id, none.id].sort());
  const unknown = await api.ask('POST', '/v1/memories/search', { body: { query: 'secret', projects: ['p99'] } });
  expect([unknown.status, unknown.body.detail]).toEqual([404, 'No project has the name p99.']);
});

test('O2 a token for one project sees its memories, and neither those of others nor those of none', async () => {
  const [own, other, none] = [
    await remember({ text: 'pears grow here', project: 'p05-garden' }),
    await remember({ text: 'pears on the switch', project: 'p04-gigabit' }),
    await remember({ text: 'pears in general' }),
  ];
  const made = await api.ask('POST', '/v1/tokens', {
    body: { actor: 'gardener', role: 'operator', projects: ['p05-garden'] },
    token: api.tokens.admin,
  });
  const { token } = made.body;
  const body = { query: 'pears', projects: ['p05-garden'] };
  const found = memorySearchAnswerSchema.parse((await api.ask('POST', '/v1/memories/search', { body, token })).body);
  expect(found.hits.map(({ id }) => id)).toEqual([own.id]);
  expect(await listed('?project=p05-garden', token)).toEqual([own.id]);
  const asked = (method: string, path: string, sent?: object) =>
    api.ask(method, path, { token, ...(sent === undefined ? {} : { body: sent }) }).then(({ status }) => status);
  expect(await asked('GET', '/v1/memories')).toBe(403);
  expect(await asked('GET', '/v1/memories?project=p04-gigabit')).toBe(404);
  expect(await asked('POST', '/v1/memories', { type: 'identity', text: 'x', provenance })).toBe(403);
  for (const { id } of [other, none]) {
    expect(await asked('GET', `/v1/memories/${id}`)).toBe(404);
    expect(await asked('POST', `/v1/memories/${id}/forget`, {})).toBe(404);
    expect((await api.ask('GET', `/v1/memories/${id}`)).status).toBe(200);
  }
});

test('C6 what supersedes must be of the same project, and a place is taken once', async () => {
  const old = await remember({ text: 'the fence is green', project: 'p05-garden' });
  const next = { type: 'knowledge', provenance, text: 'the fence is white', supersedes: old.id };
  const elsewhere = await api.ask('POST', '/v1/memories', { body: next });
  expect([elsewhere.status, elsewhere.body.errors.map(({ path }) => path)]).toEqual([400, ['supersedes']]);
  const body = { ...next, project: 'p05-garden' };
  expect((await api.ask('POST', '/v1/memories', { body })).status).toBe(201);
  expect((await api.ask('POST', '/v1/memories', { body })).status).toBe(409);
  const before = memorySchema.parse((await api.ask('GET', `/v1/memories/${old.id}`)).body);
  expect(before.state).toBe('superseded');
});

test('C6 the same idempotency key is one memory; what is over already is refused', async () => {
  const headers = { 'idempotency-key': randomUUID() };
  const [one, other] = [await remember({ text: 'once' }, headers), await remember({ text: 'once' }, headers)];
  expect(other.id).toBe(one.id);
  const past = { type: 'knowledge', text: 'x', provenance, expires_at: '2020-01-01T00:00:00Z' };
  const reply = await api.ask('POST', '/v1/memories', { body: past });
  expect([reply.status, reply.body.detail]).toEqual([400, 'expires_at: in the past']);
});

test('C6 a list goes on where its page ended, also among those of one instant', async () => {
  const { data } = api.databases;
  const made = await Promise.all(
    Array.from({ length: 5 }, (_, at) => remember({ text: `p ${at}`, type: 'adaptation' })),
  );
  await data`update memories set created_at = '2026-01-01' where type = 'adaptation'`;
  const ids: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const next: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const reply = await api.ask('GET', `/v1/memories?type=adaptation&limit=2${next}`);
    ids.push(...reply.body.items.map(({ id }) => id));
    cursor = reply.body.next_cursor;
  }
  expect([ids.length, ids.sort()]).toEqual([5, made.map(({ id }) => id).sort()]);
  const forged = Buffer.from(JSON.stringify(['memory_list', 'nonsense'])).toString('base64url');
  expect((await api.ask('GET', `/v1/memories?cursor=${forged}`)).status).toBe(400);
});
