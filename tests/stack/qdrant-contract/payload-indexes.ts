import type { Schemas } from '@qdrant/js-client-rest';
import type { QdrantServer } from '../../support/qdrant.ts';
import { resultOf } from './ask.ts';
import { expectRefusal, expectRefused, ground, size4, type Point } from './ground.ts';

const vector = [1, 0, 0, 0];
const points: Point[] = [
  { id: 1, vector, payload: { word: 'a', count: 1, nested: { deep: ['x', 'y'] }, list: [{ tag: 't' }] } },
  { id: 2, vector, payload: { word: 'b', count: 2.5, nested: { deep: 'x' } } },
  { id: 3, vector, payload: { other: true } },
];

export function describePayloadIndexes(server: QdrantServer): void {
  describe('payload indexes', () => {
    const { client, collection, name, ask } = ground(server);
    const index = (made: string, field_name: string, field_schema: Schemas['PayloadFieldSchema']) =>
      client.createPayloadIndex(made, { field_name, field_schema, wait: true });
    const schema = async (made: string) => (await client.getCollection(made)).payload_schema;

    test.each(['keyword', 'integer', 'float', 'bool', 'geo', 'datetime', 'text', 'uuid'] as const)(
      'one of type %s, without parameters',
      async (type) => {
        const made = await collection();
        await expect(index(made, 'field', type)).resolves.toMatchObject({ status: 'completed' });
        await expect(schema(made)).resolves.toEqual({ field: { data_type: type, points: 0 } });
      },
    );

    test.each<[string, Schemas['PayloadFieldSchema']]>([
      ['keyword', { type: 'keyword', is_tenant: true }],
      ['keyword', { type: 'keyword' }],
      ['integer', { type: 'integer', lookup: true, range: false }],
      ['float', { type: 'float', on_disk: true }],
      ['text', { type: 'text', tokenizer: 'prefix', min_token_len: 2, max_token_len: 10, lowercase: true }],
      ['text', { type: 'text', tokenizer: 'word', phrase_matching: true }],
      ['datetime', { type: 'datetime', is_principal: true }],
      ['bool', { type: 'bool', on_disk: true }],
    ])('one of type %s with the parameters %j says them back', async (data_type, params) => {
      const made = await collection();
      await index(made, 'field', params);
      const answer = await ask('GET', made);
      const { payload_schema } = resultOf(answer) as { payload_schema: unknown };
      expect(payload_schema).toEqual({
        field: { data_type, params: expect.objectContaining(params as object) as object, points: 0 },
      });
    });

    test('the points that it holds are counted, of those that are there', async () => {
      const made = await collection(size4, points);
      await index(made, 'word', 'keyword');
      await index(made, 'other', 'bool');
      await expect(schema(made)).resolves.toMatchObject({ word: { points: 2 }, other: { points: 1 } });
    });

    test('and of those that come later', async () => {
      const made = await collection();
      await index(made, 'word', 'keyword');
      await client.upsert(made, { points, wait: true });
      await expect(schema(made)).resolves.toMatchObject({ word: { points: 2 } });
      await client.delete(made, { points: [1], wait: true });
      await expect(schema(made)).resolves.toMatchObject({ word: { points: 1 } });
    });

    test('values of another type are not in it', async () => {
      const made = await collection(size4, points);
      await index(made, 'word', 'integer');
      await index(made, 'count', 'integer');
      await expect(schema(made)).resolves.toMatchObject({ word: { points: 0 }, count: { points: 1 } });
    });

    test('paths into objects and lists', async () => {
      const made = await collection(size4, points);
      await index(made, 'nested.deep', 'keyword');
      await index(made, 'list[].tag', 'keyword');
      await expect(schema(made)).resolves.toMatchObject({
        'nested.deep': { points: 2 },
        'list[].tag': { points: 1 },
      });
    });

    test('making the same again is fine', async () => {
      const made = await collection(size4, points);
      await index(made, 'word', 'keyword');
      await expect(index(made, 'word', 'keyword')).resolves.toMatchObject({ status: 'completed' });
      await expect(schema(made)).resolves.toEqual({ word: { data_type: 'keyword', points: 2 } });
    });

    test('one of another type takes its place', async () => {
      const made = await collection(size4, points);
      await index(made, 'count', 'integer');
      await index(made, 'count', 'float');
      await expect(schema(made)).resolves.toEqual({ count: { data_type: 'float', points: 2 } });
    });

    test('deleting one', async () => {
      const made = await collection(size4, points);
      await index(made, 'word', 'keyword');
      const answer = await client.deletePayloadIndex(made, 'word', { wait: true });
      expect(answer).toMatchObject({ status: 'completed' });
      await expect(schema(made)).resolves.toEqual({});
    });

    test('deleting one that is not there is fine', async () => {
      const answer = await client.deletePayloadIndex(await collection(), 'word', { wait: true });
      expect(answer).toMatchObject({ status: 'completed' });
    });

    test('wait is false when nothing is said', async () => {
      const made = await collection();
      const answer = await ask('PUT', `${made}/index`, { body: { field_name: 'word', field_schema: 'keyword' } });
      expect(resultOf(answer)).toMatchObject({ status: 'acknowledged' });
    });

    test('filters find the same with it as without', async () => {
      const made = await collection(size4, points);
      const filter = { must: [{ key: 'word', match: { value: 'a' } }] };
      const before = await client.scroll(made, { filter });
      await index(made, 'word', 'keyword');
      await expect(client.scroll(made, { filter })).resolves.toEqual(before);
    });

    test.each<[string, unknown, number, RegExp]>([
      ['an unknown type', { field_name: 'a', field_schema: 'string' }, 400, /^Format error in JSON body/],
      ['an object of unknown type', { field_name: 'a', field_schema: { type: 'string' } }, 400, /^Format error/],
      ['no field name', { field_schema: 'keyword' }, 400, /^Format error in JSON body/],
      ['no field schema', { field_name: 'a' }, 400, /./],
      [
        'an integer index for nothing',
        { field_name: 'a', field_schema: { type: 'integer', lookup: false, range: false } },
        422,
        /can't be both disabled/,
      ],
    ])('%s is refused', async (_, body, status, message) => {
      expectRefusal(await ask('PUT', `${await collection()}/index?wait=true`, { body }), status, message);
    });

    test('of a collection that is not there: 404', async () => {
      await expectRefused(index(name(), 'a', 'keyword'), 404, /doesn't exist/);
      await expectRefused(client.deletePayloadIndex(name(), 'a'), 404, /doesn't exist/);
    });
  });
}
