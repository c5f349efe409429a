import type { QdrantServer } from '../../support/qdrant.ts';
import { resultOf } from './ask.ts';
import { expectRefusal, expectRefused, ground, size4 } from './ground.ts';

const vector = [1, 0, 0, 0];
const missing = /^Not found: No point with id 9 found$/;

export function describePayload(server: QdrantServer): void {
  describe('payloads', () => {
    const { client, collection, ask, name } = ground(server);
    const withPayloads = (...payloads: Record<string, unknown>[]) =>
      collection(
        size4,
        payloads.map((payload, i) => ({ id: i + 1, vector, payload })),
      );
    const payloadOf = async (made: string, id: number) => (await client.retrieve(made, { ids: [id] }))[0]?.payload;

    test('set adds keys and changes them, and leaves the others', async () => {
      const made = await withPayloads({ a: 1, b: 1 }, { a: 1 });
      const answer = await client.setPayload(made, { payload: { b: 2, c: 3 }, points: [1], wait: true });
      expect(answer.status).toBe('completed');
      await expect(payloadOf(made, 1)).resolves.toEqual({ a: 1, b: 2, c: 3 });
      await expect(payloadOf(made, 2)).resolves.toEqual({ a: 1 });
    });

    test('set leaves the vectors', async () => {
      const made = await withPayloads({ a: 1 });
      await client.setPayload(made, { payload: { b: 2 }, points: [1], wait: true });
      await expect(client.retrieve(made, { ids: [1], with_vector: true })).resolves.toMatchObject([{ vector }]);
    });

    test('set replaces an object as a whole: it does not go into it', async () => {
      const made = await withPayloads({ o: { x: 1, y: 2 } });
      await client.setPayload(made, { payload: { o: { x: 3 } }, points: [1], wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({ o: { x: 3 } });
    });

    test('set to null removes the key', async () => {
      const made = await withPayloads({ a: 1, b: 1 });
      await client.setPayload(made, { payload: { a: null }, points: [1], wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({ b: 1 });
    });

    test('set at a key goes into the object there', async () => {
      const made = await withPayloads({ o: { x: 1, y: { z: 1 } }, p: 1 });
      await client.setPayload(made, { payload: { x: 2, w: 3 }, key: 'o', points: [1], wait: true });
      await client.setPayload(made, { payload: { z: 4 }, key: 'o.y', points: [1], wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({ o: { x: 2, w: 3, y: { z: 4 } }, p: 1 });
    });

    test('set at a key that is not there makes the path', async () => {
      const made = await withPayloads({ p: 1 });
      await client.setPayload(made, { payload: { z: 1 }, key: 'o.y', points: [1], wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({ o: { y: { z: 1 } }, p: 1 });
    });

    test('set at a key into one item of a list, and into all of them', async () => {
      const made = await withPayloads({ list: [{ x: 1 }, { x: 2 }] });
      await client.setPayload(made, { payload: { y: 1 }, key: 'list[0]', points: [1], wait: true });
      await client.setPayload(made, { payload: { z: 1 }, key: 'list[]', points: [1], wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({
        list: [
          { x: 1, y: 1, z: 1 },
          { x: 2, z: 1 },
        ],
      });
    });

    test('set by filter', async () => {
      const made = await withPayloads({ a: 1 }, { a: 2 }, { a: 2 });
      const filter = { must: [{ key: 'a', match: { value: 2 } }] };
      await client.setPayload(made, { payload: { marked: true }, filter, wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({ a: 1 });
      await expect(payloadOf(made, 3)).resolves.toEqual({ a: 2, marked: true });
    });

    test('ids win when a filter is given as well', async () => {
      const made = await withPayloads({ a: 1 }, { a: 2 });
      const filter = { must: [{ key: 'a', match: { value: 2 } }] };
      await client.setPayload(made, { payload: { b: 1 }, points: [1], filter, wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({ a: 1, b: 1 });
      await expect(payloadOf(made, 2)).resolves.toEqual({ a: 2 });
    });

    test('set with one id that is not there: 404, and yet the others are changed', async () => {
      const made = await withPayloads({ a: 1 }, { a: 1 });
      await expectRefused(client.setPayload(made, { payload: { b: 1 }, points: [1, 9, 2], wait: true }), 404, missing);
      await expect(payloadOf(made, 1)).resolves.toEqual({ a: 1, b: 1 });
      await expect(payloadOf(made, 2)).resolves.toEqual({ a: 1, b: 1 });
    });

    test('set with neither ids nor a filter: 400', async () => {
      const body = { payload: { a: 1 } };
      expectRefusal(await ask('POST', `${await withPayloads({})}/points/payload`, { body }), 400, /^Format error/);
    });

    test('set without a payload: 400', async () => {
      expectRefusal(
        await ask('POST', `${await withPayloads({})}/points/payload`, { body: { points: [1] } }),
        400,
        /^Format/,
      );
    });

    test('set at a key that is no path: 400', async () => {
      const body = { payload: { a: 1 }, points: [1], key: 'a[' };
      expectRefusal(await ask('POST', `${await withPayloads({})}/points/payload`, { body }), 400, /^Format error/);
    });

    test('overwrite replaces all', async () => {
      const made = await withPayloads({ a: 1, b: 1 }, { a: 1 });
      const answer = await client.overwritePayload(made, { payload: { c: 1 }, points: [1], wait: true });
      expect(answer.status).toBe('completed');
      await expect(payloadOf(made, 1)).resolves.toEqual({ c: 1 });
      await expect(payloadOf(made, 2)).resolves.toEqual({ a: 1 });
    });

    test('overwrite ignores a key: it replaces all the same', async () => {
      const made = await withPayloads({ o: { x: 1 }, p: 1 });
      await client.overwritePayload(made, { payload: { x: 2 }, key: 'o', points: [1], wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({ x: 2 });
    });

    test('overwrite by filter', async () => {
      const made = await withPayloads({ a: 1 }, { a: 2 });
      const filter = { must: [{ key: 'a', match: { value: 2 } }] };
      await client.overwritePayload(made, { payload: { b: 1 }, filter, wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({ a: 1 });
      await expect(payloadOf(made, 2)).resolves.toEqual({ b: 1 });
    });

    test('delete takes keys away, also by path; those that are not there do not matter', async () => {
      const made = await withPayloads({ a: 1, b: 1, o: { x: 1, y: 1 } });
      const answer = await client.deletePayload(made, { keys: ['a', 'o.x', 'nothing'], points: [1], wait: true });
      expect(answer.status).toBe('completed');
      await expect(payloadOf(made, 1)).resolves.toEqual({ b: 1, o: { y: 1 } });
    });

    test('delete by filter', async () => {
      const made = await withPayloads({ a: 1, b: 1 }, { a: 2, b: 1 });
      const filter = { must: [{ key: 'a', match: { value: 2 } }] };
      await client.deletePayload(made, { keys: ['b'], filter, wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({ a: 1, b: 1 });
      await expect(payloadOf(made, 2)).resolves.toEqual({ a: 2 });
    });

    test('clear takes all of it away, by ids and by filter', async () => {
      const made = await withPayloads({ a: 1 }, { a: 2 }, { a: 3 });
      const answer = await client.clearPayload(made, { points: [1], wait: true });
      expect(answer.status).toBe('completed');
      await client.clearPayload(made, { filter: { must: [{ key: 'a', match: { value: 2 } }] }, wait: true });
      await expect(payloadOf(made, 1)).resolves.toEqual({});
      await expect(payloadOf(made, 2)).resolves.toEqual({});
      await expect(payloadOf(made, 3)).resolves.toEqual({ a: 3 });
    });

    test.each<['POST' | 'PUT', string, unknown]>([
      ['PUT', 'points/payload', { payload: {}, points: [9] }],
      ['POST', 'points/payload', { payload: { a: 1 }, points: [9] }],
      ['POST', 'points/payload/delete', { keys: ['a'], points: [9] }],
      ['POST', 'points/payload/clear', { points: [9] }],
    ])('%s %s of an id that is not there: 404', async (method, path, body) => {
      const made = await withPayloads({ a: 1 });
      expectRefusal(await ask(method, `${made}/${path}?wait=true`, { body }), 404, missing);
    });

    test.each<['POST' | 'PUT', string, unknown]>([
      ['PUT', 'points/payload', { payload: {}, points: [1] }],
      ['POST', 'points/payload', { payload: {}, points: [1] }],
      ['POST', 'points/payload/delete', { keys: ['a'], points: [1] }],
      ['POST', 'points/payload/clear', { points: [1] }],
    ])('%s %s is acknowledged when nothing is said of waiting', async (method, path, body) => {
      const answer = await ask(method, `${await withPayloads({ a: 1 })}/${path}`, { body });
      expect(resultOf(answer)).toMatchObject({ status: 'acknowledged' });
    });

    test('an index follows what is set, deleted and cleared', async () => {
      const made = await withPayloads({}, {}, {});
      await client.createPayloadIndex(made, { field_name: 'a', field_schema: 'keyword', wait: true });
      const found = async () => {
        const filter = { must: [{ key: 'a', match: { value: 'x' } }] };
        return (await client.scroll(made, { filter })).points.map(({ id }) => id);
      };
      await client.setPayload(made, { payload: { a: 'x' }, points: [1, 2, 3], wait: true });
      await expect(found()).resolves.toEqual([1, 2, 3]);
      await client.deletePayload(made, { keys: ['a'], points: [1], wait: true });
      await client.clearPayload(made, { points: [2], wait: true });
      await expect(found()).resolves.toEqual([3]);
    });

    test('of a collection that is not there: 404', async () => {
      await expectRefused(client.setPayload(name(), { payload: {}, points: [1] }), 404, /doesn't exist/);
    });
  });
}
