import type { QdrantServer } from '../../support/qdrant.ts';
import { resultOf } from './ask.ts';
import { expectRefusal, expectRefused, ground, sharedCollection, size4 } from './ground.ts';

const words = ['a', 'a', 'a', 'b', 'b', ['b', 'c'], ['a', 'a'], undefined];
const points = words.map((word, i) => ({
  id: i + 1,
  vector: [1, 0, 0, 0],
  payload: { word, n: i % 2, on: i < 3, other: 'x', many: `w${i}` },
}));
const indexes = { word: 'keyword', n: 'integer', on: 'bool', many: 'keyword', f: 'float' } as const;

export function describeFacet(server: QdrantServer): void {
  describe('facets', () => {
    const { client, ask, name, collection } = ground(server);
    const made = sharedCollection(server, size4, points, indexes);
    const facet = (body: unknown) => ask('POST', `${made()}/facet`, { body });

    test('values with the number of points that have them, the most frequent first', async () => {
      await expect(client.facet(made(), { key: 'word' })).resolves.toEqual({
        hits: [
          { value: 'a', count: 4 },
          { value: 'b', count: 3 },
          { value: 'c', count: 1 },
        ],
      });
    });

    test('exactly the same', async () => {
      const { hits } = await client.facet(made(), { key: 'word', exact: true });
      expect(hits).toEqual([
        { value: 'a', count: 4 },
        { value: 'b', count: 3 },
        { value: 'c', count: 1 },
      ]);
    });

    test('with a filter', async () => {
      const filter = { must: [{ has_id: [1, 4, 5, 6] }] };
      await expect(client.facet(made(), { key: 'word', filter, exact: true })).resolves.toEqual({
        hits: [
          { value: 'b', count: 3 },
          { value: 'a', count: 1 },
          { value: 'c', count: 1 },
        ],
      });
    });

    test('with a filter that nothing matches: no values', async () => {
      const filter = { must: [{ has_id: [99] }] };
      await expect(client.facet(made(), { key: 'word', filter })).resolves.toEqual({ hits: [] });
    });

    test('with a limit, the most frequent', async () => {
      await expect(client.facet(made(), { key: 'word', limit: 1 })).resolves.toEqual({
        hits: [{ value: 'a', count: 4 }],
      });
    });

    test('of whole numbers and of truth values', async () => {
      const numbers = await client.facet(made(), { key: 'n' });
      expect(numbers.hits).toEqual(
        expect.arrayContaining([
          { value: 0, count: 4 },
          { value: 1, count: 4 },
        ]),
      );
      await expect(client.facet(made(), { key: 'on' })).resolves.toEqual({
        hits: [
          { value: false, count: 5 },
          { value: true, count: 3 },
        ],
      });
    });

    test('values of the same number come in the order of the values', async () => {
      const { hits } = await client.facet(made(), { key: 'many' });
      expect(hits.map(({ value }) => value)).toEqual(['w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7']);
    });

    test('ten when nothing is said', async () => {
      const many = Array.from({ length: 12 }, (_, id) => ({ id, vector: [1, 0, 0, 0], payload: { w: `w${id}` } }));
      const twelve = await collection(size4, many);
      await client.createPayloadIndex(twelve, { field_name: 'w', field_schema: 'keyword', wait: true });
      const answer = await ask('POST', `${twelve}/facet`, { body: { key: 'w' } });
      expect((resultOf(answer) as { hits: unknown[] }).hits).toHaveLength(10);
    });

    test.each(['other', 'nothing', 'f'])('of %s, which has no suitable index: 400', async (key) => {
      expectRefusal(await facet({ key }), 400, /index/i);
    });

    test('limit 0: 422', async () => {
      expectRefusal(await facet({ key: 'word', limit: 0 }), 422, /limit: value 0 invalid/);
    });

    test('without a key: 400', async () => {
      expectRefusal(await facet({}), 400, /^Format error/);
    });

    test('of a collection that is not there: 404', async () => {
      await expectRefused(client.facet(name(), { key: 'word' }), 404, /doesn't exist/);
    });
  });
}
