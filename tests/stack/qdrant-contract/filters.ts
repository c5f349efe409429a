import type { Schemas } from '@qdrant/js-client-rest';
import type { QdrantServer } from '../../support/qdrant.ts';
import { expectRefusal, ground, sharedCollection, size4, type Config, type Point } from './ground.ts';

type Filter = Schemas['Filter'];
type Condition = Schemas['Condition'];

const config: Config = { vectors: { a: { size: 2, distance: 'Dot' }, b: { size: 2, distance: 'Dot' } } };
const uuid = '5c56c793-69f3-4fbf-87e6-c4bf54c28c26';
const payloads: Record<string, unknown>[] = [
  {
    city: 'Berlin',
    n: 1,
    f: 0.5,
    on: true,
    text: 'The quick brown fox',
    at: '2024-01-01T00:00:00Z',
    place: { lon: 13.4, lat: 52.52 },
    parts: [
      { name: 'x', n: 1 },
      { name: 'y', n: 2 },
    ],
    ref: uuid,
  },
  {
    city: ['Berlin', 'London'],
    n: 2,
    f: -1,
    on: false,
    text: 'A lazy dog sleeps',
    at: '2024-06-01T10:00:00+02:00',
    place: { lon: -0.12, lat: 51.5 },
    parts: [{ name: 'x', n: 2 }],
  },
  { city: 'Paris', n: 3.5, f: 7, text: 'quick thinking', at: '2025-01-01', place: [{ lon: 2.35, lat: 48.86 }] },
  { city: [], n: [4, 40], empty: null, text: '', mixed: [1, null] },
  { nested: { deep: { word: 'found' } } },
  {},
];
const points: Point[] = payloads.map((payload, i) => ({
  id: i + 1,
  payload,
  vector: i % 2 === 0 ? { a: [1, 0] } : { a: [1, 0], b: [0, 1] },
}));

const conditions: [string, Condition, number[]][] = [
  ['match of a word', { key: 'city', match: { value: 'Berlin' } }, [1, 2]],
  ['match in a list of values', { key: 'city', match: { value: 'London' } }, [2]],
  ['match minds upper and lower case', { key: 'city', match: { value: 'berlin' } }, []],
  ['match of a whole number', { key: 'n', match: { value: 2 } }, [2]],
  ['match of one of several numbers', { key: 'n', match: { value: 40 } }, [4]],
  ['match of true', { key: 'on', match: { value: true } }, [1]],
  ['match of false', { key: 'on', match: { value: false } }, [2]],
  ['match of a UUID', { key: 'ref', match: { value: uuid } }, [1]],
  ['match of any of some', { key: 'city', match: { any: ['Paris', 'London', 'Rome'] } }, [2, 3]],
  ['match of any of some numbers', { key: 'n', match: { any: [1, 4] } }, [1, 4]],
  ['match of any of none', { key: 'city', match: { any: [] } }, []],
  ['match except some', { key: 'city', match: { except: ['Berlin'] } }, [2, 3]],
  ['match of a part of a text, without an index', { key: 'text', match: { text: 'quick' } }, [1, 3]],
  ['match of a text minds case, without an index', { key: 'text', match: { text: 'Quick' } }, []],
  ['match at a path', { key: 'nested.deep.word', match: { value: 'found' } }, [5]],
  ['match at a path through a list', { key: 'parts[].name', match: { value: 'y' } }, [1]],
  ['match at a place in a list', { key: 'parts[0].n', match: { value: 2 } }, [2]],
  ['match of a key that nothing has', { key: 'nothing', match: { value: 1 } }, []],
  ['range from, which counts itself', { key: 'n', range: { gte: 2 } }, [2, 3, 4]],
  ['range above', { key: 'n', range: { gt: 2 } }, [3, 4]],
  ['range between', { key: 'n', range: { gt: 1, lt: 4 } }, [2, 3]],
  ['range up to, with fractions', { key: 'f', range: { lte: 0.5 } }, [1, 2]],
  ['range without bounds is any number', { key: 'n', range: {} }, [1, 2, 3, 4]],
  ['range of null bounds is any number', { key: 'n', range: { gt: null, lt: null } }, [1, 2, 3, 4]],
  ['range of times', { key: 'at', range: { gte: '2024-06-01T08:00:00Z' } }, [2, 3]],
  ['range of days', { key: 'at', range: { lt: '2024-06-01' } }, [1]],
  [
    'within a radius of meters',
    { key: 'place', geo_radius: { center: { lon: 13.0, lat: 52.0 }, radius: 100_000 } },
    [1],
  ],
  [
    'within a box',
    { key: 'place', geo_bounding_box: { top_left: { lon: -5, lat: 55 }, bottom_right: { lon: 5, lat: 45 } } },
    [2, 3],
  ],
  [
    'within a polygon',
    {
      key: 'place',
      geo_polygon: {
        exterior: {
          points: [
            { lon: 10, lat: 50 },
            { lon: 20, lat: 50 },
            { lon: 20, lat: 55 },
            { lon: 10, lat: 55 },
            { lon: 10, lat: 50 },
          ],
        },
      },
    },
    [1],
  ],
  ['number of values', { key: 'city', values_count: { gte: 2 } }, [2]],
  ['number of values, none of what is there', { key: 'city', values_count: { lt: 1 } }, [4]],
  ['is empty: missing, null or []', { is_empty: { key: 'city' } }, [4, 5, 6]],
  ['is empty: null', { is_empty: { key: 'empty' } }, [1, 2, 3, 4, 5, 6]],
  ['is null: there, and null', { is_null: { key: 'empty' } }, [4]],
  ['is null is not a list that has a null', { is_null: { key: 'mixed' } }, []],
  ['is null is not missing', { is_null: { key: 'city' } }, []],
  ['has id', { has_id: [6, 99, 2] }, [2, 6]],
  ['has id, none', { has_id: [] }, []],
  ['has vector', { has_vector: 'b' }, [2, 4, 6]],
  [
    'nested: both of one item',
    {
      nested: {
        key: 'parts',
        filter: {
          must: [
            { key: 'name', match: { value: 'x' } },
            { key: 'n', match: { value: 2 } },
          ],
        },
      },
    },
    [2],
  ],
  ['a filter as a condition', { should: [{ key: 'city', match: { value: 'Paris' } }, { has_id: [6] }] }, [3, 6]],
];

const berlin: Condition = { key: 'city', match: { value: 'Berlin' } };
const two: Condition = { key: 'n', match: { value: 2 } };
const clauses: [string, Filter, number[]][] = [
  ['must: all of them', { must: [berlin, two] }, [2]],
  ['must of nothing: all', { must: [] }, [1, 2, 3, 4, 5, 6]],
  ['should: at least one', { should: [{ has_id: [5] }, two] }, [2, 5]],
  ['should of nothing: all', { should: [] }, [1, 2, 3, 4, 5, 6]],
  ['must_not: none of them', { must_not: [berlin, { has_id: [6] }] }, [3, 4, 5]],
  ['all three', { must: [berlin], should: [two, { has_id: [1] }], must_not: [{ has_id: [1] }] }, [2]],
  ['at least so many of', { min_should: { conditions: [berlin, two, { has_id: [5] }], min_count: 2 } }, [2]],
  ['at least none of', { min_should: { conditions: [berlin], min_count: 0 } }, [1, 2, 3, 4, 5, 6]],
  ['at least one of nothing: all', { min_should: { conditions: [], min_count: 1 } }, [1, 2, 3, 4, 5, 6]],
  ['null clauses are as if not there', { must: null, should: null, must_not: null }, [1, 2, 3, 4, 5, 6]],
  ['one condition may stand without its list', { must: berlin, must_not: two }, [1]],
  ['an empty filter: all', {}, [1, 2, 3, 4, 5, 6]],
  ['an empty condition: all', { must: [{}] }, [1, 2, 3, 4, 5, 6]],
  ['filters in filters', { must: [{ must_not: [{ must: [berlin] }] }] }, [3, 4, 5, 6]],
];

export function describeFilters(server: QdrantServer): void {
  describe('filters', () => {
    const { client, ask, collection } = ground(server);
    const plain = sharedCollection(server, config, points);
    const indexed = sharedCollection(server, config, points, {
      city: 'keyword',
      n: 'float',
      f: 'float',
      on: 'bool',
      at: 'datetime',
      place: 'geo',
      ref: 'uuid',
      'parts[].name': 'keyword',
    });
    const found = async (made: string, filter: Filter) => {
      const { points: all } = await client.scroll(made, { filter, limit: 100, with_payload: false });
      return all.map(({ id }) => id);
    };
    const refused = (filter: unknown) => ask('POST', `${plain()}/points/scroll`, { body: { filter } });

    test.each(conditions)('%s', async (_, condition, expected) => {
      await expect(found(plain(), { must: [condition] })).resolves.toEqual(expected);
    });

    test.each(conditions)('%s, with must_not', async (_, condition, expected) => {
      const others = [1, 2, 3, 4, 5, 6].filter((id) => !expected.includes(id));
      await expect(found(plain(), { must_not: [condition] })).resolves.toEqual(others);
    });

    test.each(conditions)('%s, with indexes', async (_, condition, expected) => {
      await expect(found(indexed(), { must: [condition] })).resolves.toEqual(expected);
    });

    test.each(clauses)('%s', async (_, filter, expected) => {
      await expect(found(plain(), filter)).resolves.toEqual(expected);
      await expect(client.count(plain(), { filter })).resolves.toEqual({ count: expected.length });
    });

    test.each<[string, unknown]>([
      ['an unknown clause', { most: [berlin] }],
      ['an unknown clause beside a known one', { must: [berlin], shuold: [two] }],
      ['an unknown kind of condition', { must: [{ has_key: 'city' }] }],
      ['an unknown kind of condition in must_not', { must_not: [{ is_missing: { key: 'city' } }] }],
      ['an unknown kind of match', { must: [{ key: 'city', match: { like: 'Ber%' } }] }],
      ['a match of a fraction', { must: [{ key: 'n', match: { value: 3.5 } }] }],
      ['a match of null', { must: [{ key: 'n', match: { value: null } }] }],
      ['a match of any of words and numbers', { must: [{ key: 'n', match: { any: ['a', 1] } }] }],
      ['a range of words', { must: [{ key: 'n', range: { gt: 'many' } }] }],
      ['a key that is no path', { must: [{ key: 'a[', match: { value: 1 } }] }],
      ['a has_id of a number in quotes', { must: [{ has_id: ['7'] }] }],
      ['a filter that is a list', [berlin]],
      ['a filter that is a word', 'all'],
      ['a place off the globe', { must: [{ key: 'place', geo_radius: { center: { lon: 500, lat: 0 }, radius: 1 } }] }],
    ])('%s: 400', async (_, filter) => {
      expectRefusal(await refused(filter), 400, /^Format error in JSON body/);
    });

    test('a condition on a field without any clause: 422', async () => {
      const message = /At least one field condition must be specified/;
      expectRefusal(await refused({ must: [{ key: 'city' }] }), 422, message);
    });

    test('a polygon that does not close: 400 or 422', async () => {
      const open = { exterior: { points: [1, 2, 3, 4].map((i) => ({ lon: i, lat: i * i })) } };
      const { status } = await refused({ must: [{ key: 'place', geo_polygon: open }] });
      expect([400, 422]).toContain(status);
    });

    test('a misspelled bound is passed over: any number matches', async () => {
      await expect(found(plain(), { must: [{ key: 'n', range: { gtt: 3 } as object }] })).resolves.toEqual([
        1, 2, 3, 4,
      ]);
    });

    test('what is beside the clauses of a field condition is passed over', async () => {
      const condition = { key: 'city', match: { value: 'Berlin' }, boost: 2 } as Condition;
      await expect(found(plain(), { must: [condition] })).resolves.toEqual([1, 2]);
    });

    test('an empty filter of a deletion deletes all', async () => {
      const made = await collection(
        size4,
        [1, 2].map((id) => ({ id, vector: [1, 0, 0, 0] })),
      );
      await client.delete(made, { filter: {}, wait: true });
      await expect(client.count(made)).resolves.toEqual({ count: 0 });
    });

    test('an unknown clause of a deletion deletes nothing', async () => {
      const made = await collection(
        size4,
        [1, 2].map((id) => ({ id, vector: [1, 0, 0, 0] })),
      );
      const body = { filter: { most: [{ has_id: [1] }] } };
      expectRefusal(await ask('POST', `${made}/points/delete?wait=true`, { body }), 400, /^Format error/);
      await expect(client.count(made)).resolves.toEqual({ count: 2 });
    });

    describe('of texts with an index', () => {
      const texts = sharedCollection(server, config, points, {
        text: { type: 'text', tokenizer: 'word', lowercase: true, phrase_matching: true },
      });

      test.each<[string, Condition, number[]]>([
        ['whole words, whatever their case', { key: 'text', match: { text: 'QUICK' } }, [1, 3]],
        ['all of the words, in any order', { key: 'text', match: { text: 'fox quick' } }, [1]],
        ['no parts of words', { key: 'text', match: { text: 'quic' } }, []],
        ['any of the words', { key: 'text', match: { text_any: 'dog thinking' } }, [2, 3]],
        ['a phrase, in its order', { key: 'text', match: { phrase: 'quick brown' } }, [1]],
        ['a phrase in another order is not found', { key: 'text', match: { phrase: 'brown quick' } }, []],
      ])('%s', async (_, condition, expected) => {
        await expect(found(texts(), { must: [condition] })).resolves.toEqual(expected);
      });
    });
  });
}
