import type { QdrantServer } from '../../support/qdrant.ts';
import { resultOf } from './ask.ts';
import { expectRefusal, expectRefused, ground, sharedCollection, size4 } from './ground.ts';

const uuid = '5c56c793-69f3-4fbf-87e6-c4bf54c28c26';
const payloads: Record<string, unknown>[] = [
  { word: 'a', n: 1, deep: { x: 1, y: [{ z: 1 }, { z: 2, w: 3 }] } },
  { word: 'b', n: 2 },
  { word: 'a', n: 3 },
  {},
];
const points = [1, 2, 3, uuid].map((id, i) => ({ id, vector: [i, 0, 0, 1], payload: payloads[i] ?? {} }));

export function describeReads(server: QdrantServer): void {
  describe('retrieving, scrolling, counting', () => {
    const { client, ask, name, collection } = ground(server);
    const made = sharedCollection(server, size4, points);
    const ids = (found: readonly { id: unknown }[]) => found.map(({ id }) => id);

    describe('retrieve', () => {
      const retrieve = (body: unknown) => ask('POST', `${made()}/points`, { body });

      test('in the order of the request, each once, those missing left out', async () => {
        const found = await client.retrieve(made(), { ids: [3, 99, uuid, 1, 3] });
        expect(ids(found)).toEqual([3, uuid, 1]);
      });

      test('neither payload nor vector when nothing is said', async () => {
        expect(resultOf(await retrieve({ ids: [1] }))).toEqual([{ id: 1 }]);
      });

      test('the payload, {} where there is none; the vector', async () => {
        expect(resultOf(await retrieve({ ids: [2, uuid], with_payload: true, with_vector: true }))).toEqual([
          { id: 2, payload: { word: 'b', n: 2 }, vector: [1, 0, 0, 1] },
          { id: uuid, payload: {}, vector: [3, 0, 0, 1] },
        ]);
      });

      test.each<[string, boolean | string[] | { include: string[] } | { exclude: string[] }, unknown]>([
        ['a list of keys', ['n', 'nothing'], { n: 1 }],
        ['keys to include', { include: ['word', 'deep.x'] }, { word: 'a', deep: { x: 1 } }],
        ['a path through a list', ['deep.y[].z'], { deep: { y: [{ z: 1 }, { z: 2 }] } }],
        ['keys to exclude', { exclude: ['deep', 'n'] }, { word: 'a' }],
        ['a path to exclude', { exclude: ['deep.y', 'n', 'word'] }, { deep: { x: 1 } }],
        ['an empty list', [], {}],
      ])('the payload by %s', async (_, with_payload, payload) => {
        await expect(client.retrieve(made(), { ids: [1], with_payload })).resolves.toEqual([{ id: 1, payload }]);
      });

      test('no ids give none', async () => {
        await expect(client.retrieve(made(), { ids: [] })).resolves.toEqual([]);
      });

      test('without a list of ids: 400', async () => {
        expectRefusal(await retrieve({}), 400, /^Format error in JSON body/);
      });

      test('of a collection that is not there: 404', async () => {
        await expectRefused(client.retrieve(name(), { ids: [1] }), 404, /doesn't exist/);
      });
    });

    describe('scroll', () => {
      const scroll = (body: unknown, query = '') => ask('POST', `${made()}/points/scroll${query}`, { body });

      test('all by id, with payloads and without vectors when nothing is said', async () => {
        expect(resultOf(await scroll({}))).toEqual({
          points: points.map(({ id, payload }) => ({ id, payload })),
          next_page_offset: null,
        });
      });

      test('by pages: each says where the next one begins, the last says null', async () => {
        const first = await client.scroll(made(), { limit: 3 });
        expect([ids(first.points), first.next_page_offset]).toEqual([[1, 2, 3], uuid]);
        const second = await client.scroll(made(), { limit: 3, offset: uuid });
        expect([ids(second.points), second.next_page_offset]).toEqual([[uuid], null]);
      });

      test('a page that ends with the last point has no next one', async () => {
        expect(await client.scroll(made(), { limit: 4 })).toMatchObject({ next_page_offset: null });
      });

      test('the offset counts itself, and need not be there', async () => {
        expect(ids((await client.scroll(made(), { offset: 2 })).points)).toEqual([2, 3, uuid]);
        expect(ids((await client.scroll(made(), { offset: 4 })).points)).toEqual([uuid]);
        expect((await client.scroll(made(), { offset: 'ffffffff-ffff-ffff-ffff-ffffffffffff' })).points).toEqual([]);
      });

      test('with a filter, whose pages hold only what matches', async () => {
        const filter = { must: [{ key: 'word', match: { value: 'a' } }] };
        const first = await client.scroll(made(), { filter, limit: 1 });
        expect([ids(first.points), first.next_page_offset]).toEqual([[1], 3]);
        const second = await client.scroll(made(), { filter, limit: 1, offset: 3 });
        expect([ids(second.points), second.next_page_offset]).toEqual([[3], null]);
      });

      test('what is asked of payload and vector', async () => {
        const { points: found } = await client.scroll(made(), { limit: 1, with_payload: ['n'], with_vector: true });
        expect(found).toEqual([{ id: 1, payload: { n: 1 }, vector: [0, 0, 0, 1] }]);
        expect(resultOf(await scroll({ limit: 1, with_payload: false }))).toMatchObject({ points: [{ id: 1 }] });
        expect((resultOf(await scroll({ limit: 1, with_payload: false })) as { points: object[] }).points[0]).toEqual({
          id: 1,
        });
      });

      test('ten when nothing is said', async () => {
        const many = await collection(
          size4,
          Array.from({ length: 12 }, (_, id) => ({ id, vector: [1, 0, 0, 0] })),
        );
        const { result } = (await ask('POST', `${many}/points/scroll`, { body: {} })).body as {
          result: { points: unknown[]; next_page_offset: unknown };
        };
        expect([result.points.length, result.next_page_offset]).toEqual([10, 10]);
      });

      test('limit 0: 422', async () => {
        expectRefusal(await scroll({ limit: 0 }), 422, /limit: value 0 invalid/);
      });

      test('timeout=0: 400; a timeout in seconds is taken', async () => {
        expectRefusal(await scroll({}, '?timeout=0'), 400, /query parameters/);
        expect((await scroll({}, '?timeout=5')).status).toBe(200);
      });

      test('a number in quotes is no offset: 400', async () => {
        expectRefusal(await scroll({ offset: '7' }), 400, /^Format error/);
      });

      test('of a collection that is not there: 404', async () => {
        await expectRefused(client.scroll(name()), 404, /doesn't exist/);
      });
    });

    describe('count', () => {
      test('of all, exactly when nothing is said', async () => {
        expect(resultOf(await ask('POST', `${made()}/points/count`, { body: {} }))).toEqual({ count: 4 });
      });

      test('of what a filter matches', async () => {
        const filter = { must: [{ key: 'word', match: { value: 'a' } }] };
        await expect(client.count(made(), { filter, exact: true })).resolves.toEqual({ count: 2 });
      });

      test('an estimate is a whole number', async () => {
        const { count } = await client.count(made(), { exact: false });
        expect(Number.isInteger(count)).toBe(true);
      });

      test('of a collection that is not there: 404', async () => {
        await expectRefused(client.count(name()), 404, /doesn't exist/);
      });
    });
  });
}
