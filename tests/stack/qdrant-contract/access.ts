import { qdrantClient, type QdrantServer } from '../../support/qdrant.ts';
import { ask } from './ask.ts';
import { expectRefusal, sharedCollection, size4 } from './ground.ts';

const open = ['/', '/healthz', '/livez', '/readyz'];
const closed = [
  ['GET', '/collections'],
  ['GET', '/aliases'],
  ['GET', '/collections/a'],
  ['GET', '/collections/a/exists'],
  ['PUT', '/collections/a'],
  ['DELETE', '/collections/a'],
  ['POST', '/collections/aliases'],
  ['PUT', '/collections/a/points'],
  ['POST', '/collections/a/points/scroll'],
  ['POST', '/collections/a/points/query'],
  ['POST', '/collections/a/facet'],
  ['GET', '/collections/a/snapshots'],
  ['GET', '/collections/a/snapshots/a.snapshot'],
  ['PUT', '/collections/a/snapshots/recover'],
  ['POST', '/collections/a/snapshots/upload'],
  ['GET', '/no-such-route'],
] as const;

export function describeAccess(server: QdrantServer): void {
  if (server.apiKey === null) describeWithoutKey(server);
  else describeKey({ ...server, apiKey: server.apiKey });
  if (server.readOnlyKey !== null) describeReadOnlyKey(server, server.readOnlyKey);
}

function describeWithoutKey(server: QdrantServer): void {
  test('a server without a key answers whoever asks (no key is given, so keys are not tried)', async () => {
    expect((await ask(server, 'GET', '/collections')).status).toBe(200);
    expect((await ask(server, 'GET', '/collections', { headers: { 'api-key': 'any' } })).status).toBe(200);
  });
}

function describeKey(server: QdrantServer & { readonly apiKey: string }): void {
  describe('the key', () => {
    const stranger = { ...server, apiKey: null };

    test.each(open)('%s needs none', async (path) => {
      expect((await ask(stranger, 'GET', path)).status).toBe(200);
      expect((await ask(stranger, 'GET', path, { headers: { 'api-key': 'wrong' } })).status).toBe(200);
    });

    test.each(closed)('%s %s without it: 401 in plain text', async (method, path) => {
      const answer = await ask(stranger, method, path);
      expect(answer.status).toBe(401);
      expect(answer.text).toBe('Must provide an API key or an Authorization bearer token');
    });

    test.each(closed)('%s %s with a wrong one: 401 in plain text', async (method, path) => {
      const answer = await ask(stranger, method, path, { headers: { 'api-key': `${server.apiKey}x` } });
      expect(answer.status).toBe(401);
      expect(answer.text).toMatch(/^Invalid API key or JWT/);
    });

    test('as a bearer token', async () => {
      const answer = await ask(stranger, 'GET', '/collections', {
        headers: { authorization: `Bearer ${server.apiKey}` },
      });
      expect(answer.status).toBe(200);
    });

    test('a wrong bearer token: 401', async () => {
      const answer = await ask(stranger, 'GET', '/collections', { headers: { authorization: 'Bearer wrong' } });
      expect(answer.status).toBe(401);
    });

    test('the client says 401', async () => {
      await expect(qdrantClient(stranger).getCollections()).rejects.toMatchObject({ status: 401 });
    });
  });
}

function describeReadOnlyKey(server: QdrantServer, readOnlyKey: string): void {
  describe('the key that may only read', () => {
    const client = qdrantClient(server);
    const reader = { ...server, apiKey: readOnlyKey };
    const one = sharedCollection(server, size4, [{ id: 1, vector: [1, 0, 0, 0], payload: { a: 1 } }]);

    test.each([
      ['GET', '', undefined],
      ['GET', '/exists', undefined],
      ['GET', '/aliases', undefined],
      ['GET', '/points/1', undefined],
      ['POST', '/points', { ids: [1] }],
      ['POST', '/points/scroll', {}],
      ['POST', '/points/count', {}],
      ['POST', '/points/query', { query: [1, 0, 0, 0] }],
      ['POST', '/points/query/batch', { searches: [] }],
      ['GET', '/snapshots', undefined],
    ] as const)('reads: %s %s', async (method, path, body) => {
      const answer = await ask(reader, method, `/collections/${one()}${path}`, { body });
      expect(answer.status).toBe(200);
    });

    test('lists collections', async () => {
      expect((await ask(reader, 'GET', '/collections')).status).toBe(200);
    });

    test.each([
      ['PUT', '/points?wait=true', { points: [{ id: 2, vector: [1, 0, 0, 0] }] }],
      ['POST', '/points/delete?wait=true', { points: [1] }],
      ['POST', '/points/payload?wait=true', { payload: { a: 2 }, points: [1] }],
      ['PUT', '/points/payload?wait=true', { payload: { a: 2 }, points: [1] }],
      ['POST', '/points/payload/delete?wait=true', { keys: ['a'], points: [1] }],
      ['POST', '/points/payload/clear?wait=true', { points: [1] }],
      ['PUT', '/points/vectors?wait=true', { points: [{ id: 1, vector: [0, 0, 0, 1] }] }],
      ['PUT', '/index?wait=true', { field_name: 'a', field_schema: 'integer' }],
      ['DELETE', '/index/a?wait=true', undefined],
      ['POST', '/snapshots', undefined],
      ['DELETE', '/snapshots/a.snapshot', undefined],
      ['PUT', '/snapshots/recover', { location: 'http://127.0.0.1:9/x' }],
      ['DELETE', '', undefined],
      ['PUT', '', size4],
    ] as const)('writes nothing: %s %s: 403, and it stays as it was', async (method, path, body) => {
      expectRefusal(await ask(reader, method, `/collections/${one()}${path}`, { body }), 403, /^Forbidden: /);
      const got = await client.retrieve(one(), { ids: [1, 2], with_vector: true });
      expect(got).toEqual([{ id: 1, payload: { a: 1 }, vector: [1, 0, 0, 0] }]);
    });

    test('changes no aliases: 403', async () => {
      const actions = [{ delete_alias: { alias_name: 'a' } }];
      expectRefusal(await ask(reader, 'POST', '/collections/aliases', { body: { actions } }), 403, /^Forbidden: /);
    });
  });
}
