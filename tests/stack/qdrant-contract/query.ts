import type { Schemas } from '@qdrant/js-client-rest';
import type { QdrantServer } from '../../support/qdrant.ts';
import { resultOf } from './ask.ts';
import { expectRefusal, expectRefused, ground, sharedCollection, size4, type Config, type Point } from './ground.ts';

const config: Config = {
  vectors: {
    dot: { size: 2, distance: 'Dot' },
    cosine: { size: 2, distance: 'Cosine' },
    euclid: { size: 2, distance: 'Euclid' },
    manhattan: { size: 2, distance: 'Manhattan' },
  },
  sparse_vectors: { words: {}, idf: { modifier: 'idf' } },
};
const uuid = '5c56c793-69f3-4fbf-87e6-c4bf54c28c26';
const rows: [number | string, number[], Schemas['SparseVector']][] = [
  [1, [1, 0], { indices: [1], values: [1] }],
  [2, [3, 4], { indices: [1, 2], values: [2, 1] }],
  [3, [0, 2], { indices: [2, 3], values: [4, 1] }],
  [4, [-1, -1], { indices: [3], values: [0.5] }],
  [uuid, [6, 0.5], { indices: [9], values: [1] }],
];
const points: Point[] = rows.map(([id, v, words], i) => ({
  id,
  vector: { dot: v, cosine: v, euclid: v, manhattan: v, words, idf: words },
  payload: { n: i + 1, even: i % 2 === 1 },
}));

export function describeQuery(server: QdrantServer): void {
  describe('queries', () => {
    const { client, ask, name, collection } = ground(server);
    const made = sharedCollection(server, config, points, { n: 'integer' });
    const query = (body: unknown, path = '') => ask('POST', `${made()}/points/query${path}`, { body });
    const found = async (request: Parameters<typeof client.query>[1]) => (await client.query(made(), request)).points;
    const ids = async (request: Parameters<typeof client.query>[1]) => (await found(request)).map(({ id }) => id);
    const expectScored = async (
      request: Parameters<typeof client.query>[1],
      expected: readonly (readonly [unknown, number])[],
    ): Promise<void> => {
      const got = await found(request);
      expect(got.map(({ id }) => id)).toEqual(expected.map(([id]) => id));
      for (const [i, [, score]] of expected.entries()) expect(got[i]?.score).toBeCloseTo(score, 4);
    };

    describe('nearest', () => {
      test('dot product: the largest first', async () => {
        await expectScored({ query: [1, 1], using: 'dot' }, [
          [2, 7],
          [uuid, 6.5],
          [3, 2],
          [1, 1],
          [4, -2],
        ]);
      });

      test('cosine: of vectors at length one', async () => {
        const expected = [
          [1, 1],
          [uuid, 0.996546],
          [2, 0.6],
          [3, 0],
          [4, -Math.SQRT1_2],
        ] as const;
        await expectScored({ query: [5, 0], using: 'cosine' }, expected);
      });

      test('Euclid: the distance, the smallest first', async () => {
        const squares = [
          [1, 0.01],
          [3, 4.61],
          [4, 5.21],
          [2, 19.21],
          [uuid, 25.16],
        ] as const;
        const expected = squares.map(([id, square]) => [id, Math.sqrt(square)] as const);
        await expectScored({ query: [1, 0.1], using: 'euclid' }, expected);
      });

      test('Manhattan: the distance, the smallest first', async () => {
        const expected = [
          [1, 0.1],
          [3, 2.9],
          [4, 3.1],
          [uuid, 5.4],
          [2, 5.9],
        ] as const;
        await expectScored({ query: [1, 0.1], using: 'manhattan' }, expected);
      });

      test('sparse: only points that share an index', async () => {
        const query_ = { indices: [2, 1], values: [1, 1] };
        await expectScored({ query: query_, using: 'words' }, [
          [3, 4],
          [2, 3],
          [1, 1],
        ]);
        expect(await ids({ query: { indices: [9], values: [1] }, using: 'words' })).toEqual([uuid]);
        expect(await ids({ query: { indices: [77], values: [1] }, using: 'words' })).toEqual([]);
      });

      test('sparse with idf: weights of the query by how rare they are', async () => {
        const idf = (frequency: number) => Math.log(1 + (5 - frequency + 0.5) / (frequency + 0.5));
        const [, two, three] = [0, idf(2) * 1 + idf(2) * 2, idf(2) * 4];
        const got = await found({ query: { indices: [1, 2], values: [1, 1] }, using: 'idf' });
        expect(got.map(({ id }) => id)).toEqual([3, 2, 1]);
        expect(got[0]?.score).toBeCloseTo(three, 4);
        expect(got[1]?.score).toBeCloseTo(two, 4);
        expect(got[2]?.score).toBeCloseTo(idf(2), 4);
      });

      test('idf does not depend on a filter', async () => {
        const sparse = { indices: [1], values: [1] };
        const all = await found({ query: sparse, using: 'idf' });
        const filtered = await found({ query: sparse, using: 'idf', filter: { must: [{ has_id: [2] }] } });
        expect(filtered[0]?.score).toBeCloseTo(all.find(({ id }) => id === 2)?.score ?? 0, 5);
      });

      test('in the long form', async () => {
        const short = await found({ query: [1, 1], using: 'dot' });
        await expect(found({ query: { nearest: [1, 1] }, using: 'dot' })).resolves.toEqual(short);
      });

      test('by the vector of a point, which is not in the result', async () => {
        expect(await ids({ query: 2, using: 'dot' })).toEqual([uuid, 3, 1, 4]);
        expect(await ids({ query: uuid, using: 'words', limit: 3 })).toEqual([]);
        expect(await ids({ query: 2, using: 'words' })).toEqual([3, 1]);
      });

      test('by a point that is not there: 404', async () => {
        await expectRefused(
          client.query(made(), { query: 99, using: 'dot' }),
          404,
          /^Not found: No point with id 99 found$/,
        );
      });

      test('by a point that has no such vector: 400 or 404', async () => {
        const other = await collection(config, [{ id: 1, vector: { dot: [1, 1] } }]);
        const { status } = await ask('POST', `${other}/points/query`, { body: { query: 1, using: 'cosine' } });
        expect([400, 404]).toContain(status);
      });

      test('points without that vector are not found', async () => {
        const other = await collection(config, [
          { id: 1, vector: { dot: [1, 1] } },
          { id: 2, vector: { cosine: [1, 1] } },
        ]);
        const { points: got } = await client.query(other, { query: [1, 1], using: 'dot' });
        expect(got.map(({ id }) => id)).toEqual([1]);
      });

      test('of a collection whose vector has no name', async () => {
        const other = await collection(size4, [
          { id: 1, vector: [1, 0, 0, 0] },
          { id: 2, vector: [2, 0, 0, 0] },
        ]);
        const { points: got } = await client.query(other, { query: [1, 0, 0, 0] });
        expect(got.map(({ id, score }) => [id, score])).toEqual([
          [2, 2],
          [1, 1],
        ]);
      });

      test('exactly, and with parameters of the search', async () => {
        const params = { exact: true, hnsw_ef: 64, indexed_only: false };
        expect(await ids({ query: [1, 1], using: 'dot', params })).toEqual([2, uuid, 3, 1, 4]);
      });
    });

    describe('what is asked for', () => {
      test('id, version and score; neither payload nor vector when nothing is said', async () => {
        const answer = await query({ query: [1, 1], using: 'dot', limit: 1 });
        expect(resultOf(answer)).toEqual({ points: [{ id: 2, version: expect.any(Number) as number, score: 7 }] });
      });

      test('the payload, or parts of it', async () => {
        const one = { query: [1, 1], using: 'dot', limit: 1 };
        await expect(found({ ...one, with_payload: true })).resolves.toMatchObject([{ payload: { n: 2, even: true } }]);
        await expect(found({ ...one, with_payload: ['n'] })).resolves.toMatchObject([{ payload: { n: 2 } }]);
        const [without] = await found({ ...one, with_payload: { exclude: ['n'] } });
        expect(without?.payload).toEqual({ even: true });
      });

      test('the vectors, or some of them, also by the other spelling', async () => {
        const one = { query: [1, 1], using: 'dot', limit: 1 };
        const [all] = await found({ ...one, with_vector: true });
        expect(Object.keys(all?.vector as object).sort()).toEqual([
          'cosine',
          'dot',
          'euclid',
          'idf',
          'manhattan',
          'words',
        ]);
        const [some] = await found({ ...one, with_vector: ['dot'] });
        expect(some?.vector).toEqual({ dot: [3, 4] });
        const answer = await query({ ...one, with_vectors: ['dot'] });
        expect(resultOf(answer)).toMatchObject({ points: [{ vector: { dot: [3, 4] } }] });
      });

      test('so many, from there on', async () => {
        expect(await ids({ query: [1, 1], using: 'dot', limit: 2 })).toEqual([2, uuid]);
        expect(await ids({ query: [1, 1], using: 'dot', limit: 2, offset: 1 })).toEqual([uuid, 3]);
        expect(await ids({ query: [1, 1], using: 'dot', offset: 9 })).toEqual([]);
      });

      test('ten when nothing is said', async () => {
        const many = Array.from({ length: 12 }, (_, id) => ({ id, vector: [id, 0, 0, 0] }));
        const twelve = await collection(size4, many);
        const answer = await ask('POST', `${twelve}/points/query`, { body: { query: [1, 0, 0, 0] } });
        const got = (resultOf(answer) as { points: { id: number }[] }).points.map(({ id }) => id);
        expect(got).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
      });

      test('what a filter lets through', async () => {
        const filter = { must: [{ key: 'even', match: { value: true } }] };
        expect(await ids({ query: [1, 1], using: 'dot', filter })).toEqual([2, 4]);
      });

      test('a threshold of a score is strict: what only reaches it is left out', async () => {
        expect(await ids({ query: [1, 1], using: 'dot', score_threshold: 2 })).toEqual([2, uuid]);
        expect(await ids({ query: [1, 1], using: 'dot', score_threshold: 1.9 })).toEqual([2, uuid, 3]);
      });

      test('a threshold of a distance holds from above', async () => {
        expect(await ids({ query: [1, 0], using: 'euclid', score_threshold: 1 })).toEqual([1]);
      });
    });

    describe('without a vector', () => {
      test('no query at all: by id, score 1, version 0', async () => {
        const answer = await query({});
        expect(resultOf(answer)).toEqual({
          points: [1, 2, 3, 4, uuid].map((id) => ({ id, version: 0, score: 1 })),
        });
      });

      test('no query, with filter, limit and offset', async () => {
        const filter = { must_not: [{ has_id: [2] }] };
        expect(await ids({ filter, limit: 2, offset: 1 })).toEqual([3, 4]);
      });

      test('by a value of the payload', async () => {
        expect(await ids({ query: { order_by: { key: 'n', direction: 'desc' } }, limit: 3 })).toEqual([uuid, 4, 3]);
        const [first] = await found({ query: { order_by: 'n' }, with_payload: true });
        expect(first).toMatchObject({ id: 1, score: 1, version: 0, payload: { n: 1 } });
      });

      test('by a value without an index: 400', async () => {
        expectRefusal(await query({ query: { order_by: 'even' } }), 400, /No range index for `order_by` key/);
      });

      test('a sample: some of them, each once', async () => {
        const got = await found({ query: { sample: 'random' }, limit: 3 });
        expect(new Set(got.map(({ id }) => id)).size).toBe(3);
        expect(got).toEqual(got.map(({ id }) => ({ id, version: 0, score: 1 })));
      });
    });

    describe('what is refused', () => {
      test.each<[string, unknown, number, RegExp]>([
        [
          'a wrong dimension',
          { query: [1, 2, 3], using: 'dot' },
          400,
          /Vector dimension error: expected dim: 2, got 3/,
        ],
        [
          'a vector that is not there',
          { query: [1, 1], using: 'nothing' },
          400,
          /Not existing vector name error: nothing/,
        ],
        ['no name where they have names', { query: [1, 1] }, 400, /Not existing vector name error/],
        ['a sparse query of a dense vector', { query: { indices: [1], values: [1] }, using: 'dot' }, 400, /./],
        ['a dense query of a sparse vector', { query: [1, 1], using: 'words' }, 400, /./],
        ['limit 0', { query: [1, 1], using: 'dot', limit: 0 }, 422, /limit: value 0 invalid/],
        ['a negative limit', { query: [1, 1], using: 'dot', limit: -1 }, 400, /^Format error/],
        ['a negative offset', { query: [1, 1], using: 'dot', offset: -1 }, 400, /^Format error/],
        ['a query of no kind', { query: { closest: [1, 1] } }, 400, /^Format error/],
        ['an id of no kind', { query: 'seven', using: 'dot' }, 400, /^Format error/],
        ['a fusion of nothing', { query: { fusion: 'rrf' } }, 400, /./],
        ['an unknown fusion', { prefetch: [{ query: [1, 1] }], query: { fusion: 'sum' } }, 400, /^Format error/],
        ['a sample of no kind', { query: { sample: 'first' } }, 400, /^Format error/],
        [
          'sparse: an index twice',
          { query: { indices: [1, 1], values: [1, 1] }, using: 'words' },
          422,
          /must be unique/,
        ],
        [
          'sparse: lengths',
          { query: { indices: [1], values: [1, 1] }, using: 'words' },
          422,
          /must be the same length/,
        ],
        ['an unknown clause of the filter', { filter: { most: [] } }, 400, /^Format error/],
      ])('%s', async (_, body, status, message) => {
        expectRefusal(await query(body), status, message);
      });

      test('timeout=0: 400', async () => {
        expectRefusal(await query({}, '?timeout=0'), 400, /query parameters/);
      });

      test('of a collection that is not there: 404', async () => {
        await expectRefused(client.query(name(), { query: [1] }), 404, /doesn't exist/);
        await expectRefused(client.queryBatch(name(), { searches: [{ query: [1] }] }), 404, /doesn't exist/);
      });
    });

    describe('in batches', () => {
      test('each its own answer, in their order', async () => {
        const answers = await client.queryBatch(made(), {
          searches: [
            { query: [1, 1], using: 'dot', limit: 1 },
            { query: { indices: [9], values: [1] }, using: 'words', with_payload: true },
            { filter: { must: [{ has_id: [3] }] } },
          ],
        });
        expect(answers.map(({ points: got }) => got.map(({ id }) => id))).toEqual([[2], [uuid], [3]]);
        expect(answers[1]?.points[0]?.payload).toEqual({ n: 5, even: false });
        expect(answers[0]?.points[0]).not.toHaveProperty('payload');
      });

      test('of nothing: nothing', async () => {
        await expect(client.queryBatch(made(), { searches: [] })).resolves.toEqual([]);
      });

      test('one that is wrong refuses all', async () => {
        const searches = [
          { query: [1, 1], using: 'dot' },
          { query: [1, 1, 1], using: 'dot' },
        ];
        expectRefusal(await query({ searches }, '/batch'), 400, /Vector dimension error/);
      });
    });
  });
}
