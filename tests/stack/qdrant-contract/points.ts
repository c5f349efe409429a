import type { QdrantServer } from '../../support/qdrant.ts';
import { resultOf } from './ask.ts';
import { expectRefusal, expectRefused, ground, size4, type Point } from './ground.ts';

const vector = [1, 0, 0, 0];
const uuid = '5c56c793-69f3-4fbf-87e6-c4bf54c28c26';

export function describePoints(server: QdrantServer): void {
  describe('points', () => {
    const { client, collection, name, ask } = ground(server);
    const upsert = (made: string, points: Point[]) => client.upsert(made, { points, wait: true });
    const three = () =>
      collection(
        size4,
        [1, 2, 3].map((id) => ({ id, vector, payload: { n: id } })),
      );
    const idsOf = async (made: string) => (await client.scroll(made, { limit: 100 })).points.map(({ id }) => id);

    test('written with wait they are there: completed, with the number of the operation', async () => {
      const made = await collection();
      const answer = await upsert(made, [{ id: 1, vector, payload: { a: 1 } }]);
      expect(answer).toMatchObject({ status: 'completed', operation_id: expect.any(Number) as number });
      await expect(client.retrieve(made, { ids: [1], with_vector: true })).resolves.toEqual([
        { id: 1, payload: { a: 1 }, vector },
      ]);
    });

    test('wait is false when nothing is said: acknowledged, and there soon', async () => {
      const made = await collection();
      const answer = await ask('PUT', `${made}/points`, { body: { points: [{ id: 1, vector }] } });
      expect(resultOf(answer)).toMatchObject({ status: 'acknowledged' });
      await upsert(made, [{ id: 2, vector }]);
      await expect(idsOf(made)).resolves.toEqual([1, 2]);
    });

    test.each(['weak', 'medium', 'strong'] as const)('the ordering %s is taken', async (ordering) => {
      const made = await collection();
      const answer = await client.upsert(made, { points: [{ id: 1, vector }], wait: true, ordering });
      expect(answer.status).toBe('completed');
    });

    test('an ordering that is none: 400', async () => {
      const body = { points: [{ id: 1, vector }] };
      expectRefusal(await ask('PUT', `${await collection()}/points?ordering=odd`, { body }), 400, /query parameters/);
    });

    test('a wait that is neither true nor false: 400', async () => {
      const body = { points: [{ id: 1, vector }] };
      expectRefusal(await ask('PUT', `${await collection()}/points?wait=maybe`, { body }), 400, /query parameters/);
    });

    test('the numbers of operations of one collection grow', async () => {
      const made = await collection();
      const first = await upsert(made, [{ id: 1, vector }]);
      const second = await upsert(made, [{ id: 1, vector }]);
      expect(Number(second.operation_id)).toBe(Number(first.operation_id) + 1);
    });

    test('a point carries the number of its last operation as its version', async () => {
      const made = await three();
      const { operation_id } = await client.setPayload(made, { payload: { a: 1 }, points: [2], wait: true });
      const { points } = await client.query(made, { query: vector, filter: { must: [{ has_id: [2] }] } });
      expect(points).toMatchObject([{ id: 2, version: operation_id }]);
    });

    test('the batch form', async () => {
      const made = await collection();
      const batch = { ids: [1, uuid], vectors: [vector, [0, 1, 0, 0]], payloads: [{ a: 1 }, null] };
      const answer = await ask('PUT', `${made}/points?wait=true`, { body: { batch } });
      expect(resultOf(answer)).toMatchObject({ status: 'completed' });
      await expect(client.retrieve(made, { ids: [1, uuid], with_vector: true })).resolves.toEqual([
        { id: 1, payload: { a: 1 }, vector },
        { id: uuid, payload: {}, vector: [0, 1, 0, 0] },
      ]);
    });

    test('the batch form through the client, without payloads', async () => {
      const made = await collection();
      await client.upsert(made, { batch: { ids: [1, 2], vectors: [vector, vector] }, wait: true });
      await expect(idsOf(made)).resolves.toEqual([1, 2]);
    });

    test('the batch form with named vectors', async () => {
      const made = await collection({ vectors: { a: { size: 2, distance: 'Dot' } }, sparse_vectors: { s: {} } });
      const sparse = { indices: [3], values: [0.5] };
      const batch = {
        ids: [1, 2],
        vectors: {
          a: [
            [1, 2],
            [3, 4],
          ],
          s: [sparse, sparse],
        },
      };
      await client.upsert(made, { batch, wait: true });
      await expect(client.retrieve(made, { ids: [2], with_vector: true, with_payload: false })).resolves.toEqual([
        { id: 2, vector: { a: [3, 4], s: sparse } },
      ]);
    });

    test.each<[string, unknown]>([
      ['fewer vectors than ids', { ids: [1, 2], vectors: [vector] }],
      ['fewer ids than vectors', { ids: [1], vectors: [vector, vector] }],
      ['fewer payloads than ids', { ids: [1, 2], vectors: [vector, vector], payloads: [{}] }],
    ])('a batch of %s: 422, and nothing is written', async (_, batch) => {
      const made = await collection();
      expectRefusal(await ask('PUT', `${made}/points?wait=true`, { body: { batch } }), 422, /^Validation error/);
      await expect(idsOf(made)).resolves.toEqual([]);
    });

    test('written again, payload and vectors are replaced', async () => {
      const config = { vectors: { a: { size: 2, distance: 'Dot' }, b: { size: 2, distance: 'Dot' } } } as const;
      const made = await collection(config, [
        { id: 1, vector: { a: [1, 2], b: [3, 4] }, payload: { old: 1, kept: 1 } },
      ]);
      await upsert(made, [{ id: 1, vector: { a: [5, 6] }, payload: { kept: 2 } }]);
      await expect(client.retrieve(made, { ids: [1], with_vector: true })).resolves.toEqual([
        { id: 1, payload: { kept: 2 }, vector: { a: [5, 6] } },
      ]);
    });

    test('written again without a payload there is none', async () => {
      const made = await three();
      await upsert(made, [{ id: 1, vector }]);
      await expect(client.retrieve(made, { ids: [1] })).resolves.toEqual([{ id: 1, payload: {} }]);
    });

    test('the same id twice in one request: the last one stays', async () => {
      const made = await collection();
      await upsert(made, [
        { id: 1, vector, payload: { n: 1 } },
        { id: 1, vector: [0, 0, 0, 1], payload: { n: 2 } },
      ]);
      await expect(client.retrieve(made, { ids: [1], with_vector: true })).resolves.toEqual([
        { id: 1, payload: { n: 2 }, vector: [0, 0, 0, 1] },
      ]);
    });

    test('a payload of every kind of value comes back as it was, null too', async () => {
      const payload = {
        text: 'Ünïcødé 🦀 "quoted"',
        whole: 9_007_199_254_740_991,
        negative: -7,
        fraction: 1.5,
        yes: true,
        nothing: null,
        list: [1, 'two', [3], { four: null }],
        empty: {},
        'dotted.key': 1,
        deep: { deeper: { deepest: [] } },
      };
      const made = await collection(size4, [{ id: 1, vector, payload }]);
      await expect(client.retrieve(made, { ids: [1] })).resolves.toEqual([{ id: 1, payload }]);
    });

    test('whole numbers beyond 2^53 keep every digit', async () => {
      const made = await collection();
      const body = `{"points":[{"id":18446744073709551615,"vector":[1,0,0,0],"payload":{"n":9223372036854775807}}]}`;
      expect((await ask('PUT', `${made}/points?wait=true`, { body })).status).toBe(200);
      const answer = await ask('GET', `${made}/points/18446744073709551615`);
      expect(answer.text).toContain('"id":18446744073709551615');
      expect(answer.text).toContain('"n":9223372036854775807');
    });

    test.each([
      ['in upper case', uuid.toUpperCase()],
      ['without hyphens', uuid.replaceAll('-', '')],
      ['in braces', `{${uuid}}`],
      ['as a URN', `urn:uuid:${uuid}`],
    ])('a UUID %s is answered in lower case with hyphens', async (_, spelt) => {
      const made = await collection(size4, [{ id: spelt, vector }]);
      await expect(idsOf(made)).resolves.toEqual([uuid]);
      await expect(client.retrieve(made, { ids: [spelt], with_payload: false })).resolves.toEqual([{ id: uuid }]);
      expect((await ask('GET', `${made}/points/${encodeURIComponent(spelt)}`)).status).toBe(200);
    });

    test.each<[string, unknown]>([
      ['a number in quotes', '7'],
      ['a word', 'seven'],
      ['a negative number', -1],
      ['a fraction', 1.5],
      ['null', null],
      ['a list', [1]],
      ['a UUID that is cut off', uuid.slice(1)],
    ])('an id that is %s: 400', async (_, id) => {
      const made = await collection();
      expectRefusal(
        await ask('PUT', `${made}/points?wait=true`, { body: { points: [{ id, vector }] } }),
        400,
        /^Format/,
      );
      expectRefusal(await ask('POST', `${made}/points`, { body: { ids: [id] } }), 400, /^Format error/);
      expectRefusal(await ask('POST', `${made}/points/delete`, { body: { points: [id] } }), 400, /^Format error/);
    });

    test('an id over 2^64: 400', async () => {
      const body = '{"points":[{"id":18446744073709551616,"vector":[1,0,0,0]}]}';
      expectRefusal(await ask('PUT', `${await collection()}/points?wait=true`, { body }), 400, /^Format error/);
    });

    test('whole numbers come before UUIDs', async () => {
      const made = await collection(
        size4,
        [uuid, 20, 3, '00000000-0000-0000-0000-000000000001'].map((id) => ({ id, vector })),
      );
      await expect(idsOf(made)).resolves.toEqual([3, 20, '00000000-0000-0000-0000-000000000001', uuid]);
    });

    test('getting one: payload and vector always', async () => {
      const made = await three();
      const answer = await ask('GET', `${made}/points/2`);
      expect(answer.body).toMatchObject({ status: 'ok', result: { id: 2, payload: { n: 2 }, vector } });
    });

    test('getting one that is not there: 404', async () => {
      expectRefusal(
        await ask('GET', `${await three()}/points/9`),
        404,
        /^Not found: Point with id 9 does not exists!$/,
      );
    });

    test('getting one by something that is no id: 400', async () => {
      expectRefusal(await ask('GET', `${await three()}/points/nine`), 400, /Can not recognize "nine" as point id/);
    });

    test('deleting by ids; those that are not there do not matter', async () => {
      const made = await three();
      const answer = await client.delete(made, { points: [1, 3, 99], wait: true });
      expect(answer.status).toBe('completed');
      await expect(idsOf(made)).resolves.toEqual([2]);
    });

    test('deleting by filter', async () => {
      const made = await three();
      await client.delete(made, { filter: { must: [{ key: 'n', range: { gte: 2 } }] }, wait: true });
      await expect(idsOf(made)).resolves.toEqual([1]);
    });

    test('deleting by a filter that nothing matches is fine', async () => {
      const made = await three();
      const filter = { must: [{ key: 'n', match: { value: 9 } }] };
      await expect(client.delete(made, { filter, wait: true })).resolves.toMatchObject({ status: 'completed' });
      await expect(idsOf(made)).resolves.toEqual([1, 2, 3]);
    });

    test('deleting is acknowledged, when nothing is said of waiting', async () => {
      await expect(client.delete(await three(), { points: [1] })).resolves.toMatchObject({ status: 'acknowledged' });
    });

    test('deleting with neither ids nor a filter: 400', async () => {
      expectRefusal(await ask('POST', `${await three()}/points/delete`, { body: {} }), 400, /^Format error/);
    });

    test('a deleted point can be written again', async () => {
      const made = await three();
      await client.delete(made, { points: [2], wait: true });
      await upsert(made, [{ id: 2, vector, payload: { again: true } }]);
      await expect(client.retrieve(made, { ids: [2] })).resolves.toEqual([{ id: 2, payload: { again: true } }]);
    });

    test('an empty list of points: 400', async () => {
      expectRefusal(await ask('PUT', `${await collection()}/points?wait=true`, { body: { points: [] } }), 400, /./);
    });

    test('a body that is neither form: 400', async () => {
      expectRefusal(await ask('PUT', `${await collection()}/points`, { body: { rows: [] } }), 400, /^Format error/);
    });

    test('a point without its vector: 400', async () => {
      const body = { points: [{ id: 1, payload: {} }] };
      expectRefusal(await ask('PUT', `${await collection()}/points`, { body }), 400, /^Format error/);
    });

    test('a payload that is no object: 400', async () => {
      const body = { points: [{ id: 1, vector, payload: [1] }] };
      expectRefusal(await ask('PUT', `${await collection()}/points`, { body }), 400, /^Format error/);
    });

    test('into a collection that is not there: 404', async () => {
      await expectRefused(upsert(name(), [{ id: 1, vector }]), 404, /doesn't exist/);
      await expectRefused(client.delete(name(), { points: [1] }), 404, /doesn't exist/);
    });

    test('a thousand in one request', async () => {
      const many = Array.from({ length: 1000 }, (_, i) => ({ id: i + 1, vector: [i, 1, 2, 3], payload: { n: i } }));
      const made = await collection(size4, many);
      await expect(client.count(made)).resolves.toEqual({ count: 1000 });
      await expect(client.retrieve(made, { ids: [1000], with_vector: true })).resolves.toEqual([
        { id: 1000, payload: { n: 999 }, vector: [999, 1, 2, 3] },
      ]);
    });

    test('written by several at once, all are there', async () => {
      const made = await collection();
      const slices = Array.from({ length: 8 }, (_, slice) => Array.from({ length: 20 }, (_, i) => slice * 20 + i));
      await Promise.all(
        slices.map((ids) =>
          upsert(
            made,
            ids.map((id) => ({ id, vector })),
          ),
        ),
      );
      await expect(client.count(made)).resolves.toEqual({ count: 160 });
    });
  });
}
