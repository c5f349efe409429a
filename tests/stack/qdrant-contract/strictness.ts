import type { QdrantServer } from '../../support/qdrant.ts';
import { resultOf } from './ask.ts';
import { expectRefusal, ground, size4 } from './ground.ts';

const vector = [1, 0, 0, 0];

export function describeStrictness(server: QdrantServer): void {
  describe('what is passed over, and what is not', () => {
    const { client, collection, name, ask } = ground(server);
    const one = () => collection(size4, [{ id: 1, vector, payload: { a: 1 } }]);

    test('unknown fields of a new collection are passed over, also inside', async () => {
      const made = name();
      const body = { vectors: { ...size4.vectors, colour: 'red' }, hnsw_config: { speed: 'high' }, shape: 'round' };
      expect((await ask('PUT', made, { body })).status).toBe(200);
      expect((await client.getCollection(made)).config.params.vectors).toEqual(size4.vectors);
    });

    test('unknown fields of points are passed over', async () => {
      const made = await collection();
      const body = { points: [{ id: 1, vector, payload: { a: 1 }, weight: 7 }], mode: 'fast' };
      expect((await ask('PUT', `${made}/points?wait=true`, { body })).status).toBe(200);
      await expect(client.retrieve(made, { ids: [1] })).resolves.toEqual([{ id: 1, payload: { a: 1 } }]);
    });

    test.each<['POST' | 'PUT', string, unknown]>([
      ['POST', 'points', { ids: [1] }],
      ['POST', 'points/scroll', {}],
      ['POST', 'points/count', {}],
      ['POST', 'points/query', { query: vector }],
      ['POST', 'points/query/batch', { searches: [{ query: vector, more: 1 }] }],
      ['POST', 'points/payload', { payload: {}, points: [1] }],
      ['POST', 'points/payload/delete', { keys: ['a'], points: [1] }],
      ['PUT', 'points/vectors', { points: [{ id: 1, vector, more: 1 }] }],
      ['PUT', 'index', { field_name: 'a', field_schema: 'integer' }],
    ])('unknown fields of %s %s are passed over', async (method, path, body) => {
      const answer = await ask(method, `${await one()}/${path}?wait=true`, {
        body: { ...(body as object), unknown: 'field' },
      });
      expect(answer.status).toBe(200);
    });

    test.each(['points/scroll', 'points/query', 'points/count'])(
      'unknown parameters of %s are passed over',
      async (path) => {
        expect((await ask('POST', `${await one()}/${path}?colour=red`, { body: {} })).status).toBe(200);
      },
    );

    test('unknown fields of aliases are passed over', async () => {
      const [made, alias] = [await one(), name()];
      const create_alias = { collection_name: made, alias_name: alias, more: 1 };
      const answer = await ask('POST', 'aliases', { body: { actions: [{ create_alias }], more: 1 } });
      expect(answer.status).toBe(200);
    });

    test('a field of null is as if it were not there', async () => {
      const body = { limit: null, offset: null, filter: null, with_payload: null, order_by: null };
      const answer = await ask('POST', `${await one()}/points/scroll`, { body });
      expect(answer.status).toBe(200);
    });

    test('limits in quotes and limits with fractions are refused', async () => {
      const made = await one();
      expectRefusal(await ask('POST', `${made}/points/scroll`, { body: { limit: '1' } }), 400, /^Format error/);
      expectRefusal(await ask('POST', `${made}/points/scroll`, { body: { limit: 1.5 } }), 400, /^Format error/);
    });

    test('numbers for truth values are refused', async () => {
      const answer = await ask('POST', `${await one()}/points/scroll`, { body: { with_payload: 1 } });
      expectRefusal(answer, 400, /^Format error/);
    });

    test('a body that is a list is refused', async () => {
      expectRefusal(await ask('POST', `${await one()}/points/scroll`, { body: [] }), 400, /./);
    });

    test('half of a pair of surrogates is refused', async () => {
      const made = await one();
      const answer = await ask('POST', `${made}/points/scroll`, { body: '{"offset": "\\ud800"}' });
      expectRefusal(answer, 400, /^Format error/);
    });

    test('names of collections are those of the path, decoded', async () => {
      const made = `${name()} 100% ü`;
      expect((await ask('PUT', encodeURIComponent(made), { body: size4 })).status).toBe(200);
      const { collections } = await client.getCollections();
      expect(collections).toContainEqual({ name: made });
      expect(resultOf(await ask('DELETE', encodeURIComponent(made)))).toBe(true);
    });

    test('timeout=0 is refused on reads, and taken on writes', async () => {
      const made = await one();
      expectRefusal(await ask('POST', `${made}/points/count?timeout=0`, { body: {} }), 400, /query parameters/);
      const body = { points: [{ id: 2, vector }] };
      expect((await ask('PUT', `${made}/points?timeout=0`, { body })).status).toBe(200);
    });
  });
}
