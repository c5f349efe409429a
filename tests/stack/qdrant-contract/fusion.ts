import type { QdrantServer } from '../../support/qdrant.ts';
import { resultOf } from './ask.ts';
import { expectRefusal, ground, sharedCollection, type Config, type Point } from './ground.ts';

const config: Config = { vectors: { dense: { size: 2, distance: 'Dot' } }, sparse_vectors: { sparse: {} } };
/** By dense [1, 0]: 1 2 3 4 5 6; by sparse 7: 3 5 1. */
const points: Point[] = [6, 5, 4, 3, 2, 1].map((x, i) => {
  const weight = { 1: 1, 3: 3, 5: 2 }[i + 1];
  const sparse = weight === undefined ? {} : { sparse: { indices: [7], values: [weight] } };
  return { id: i + 1, vector: { dense: [x, 0], ...sparse }, payload: { n: i + 1 } };
});
const dense = { query: [1, 0], using: 'dense' };
const sparse = { query: { indices: [7], values: [1] }, using: 'sparse' };

export function describeFusion(server: QdrantServer): void {
  describe('prefetches and fusion', () => {
    const { client, ask } = ground(server);
    const made = sharedCollection(server, config, points, { n: 'integer' });
    const found = async (request: Parameters<typeof client.query>[1]) => (await client.query(made(), request)).points;
    const ids = async (request: Parameters<typeof client.query>[1]) => (await found(request)).map(({ id }) => id);
    const scores = async (body: unknown) => {
      const answer = await ask('POST', `${made()}/points/query`, { body });
      const { points: got } = resultOf(answer) as { points: { id: number; score: number }[] };
      return Object.fromEntries(got.map(({ id, score }) => [id, score]));
    };
    const refused = (body: unknown) => ask('POST', `${made()}/points/query`, { body });
    const expectScores = (got: Record<string, number>, expected: Record<number, number>): void => {
      expect(Object.keys(got).map(Number).sort()).toEqual(Object.keys(expected).map(Number).sort());
      for (const [id, score] of Object.entries(expected)) expect(got[id]).toBeCloseTo(score, 5);
    };

    test('reciprocal ranks: the sum of 1/(2 + rank), counted from 0', async () => {
      const got = await scores({ prefetch: [dense, sparse], query: { fusion: 'rrf' } });
      expectScores(got, {
        1: 1 / 2 + 1 / 4,
        2: 1 / 3,
        3: 1 / 4 + 1 / 2,
        4: 1 / 5,
        5: 1 / 6 + 1 / 3,
        6: 1 / 7,
      });
    });

    test('the best come first', async () => {
      const got = await found({ prefetch: [dense, sparse], query: { fusion: 'rrf' } });
      const sorted = [...got].sort((a, b) => b.score - a.score);
      expect(got.map(({ score }) => score)).toEqual(sorted.map(({ score }) => score));
      expect(new Set(got.slice(0, 2).map(({ id }) => id))).toEqual(new Set([1, 3]));
      expect(got.slice(2).map(({ id }) => id)).toEqual([5, 2, 4, 6]);
    });

    test('with another k', async () => {
      const got = await scores({ prefetch: [dense, sparse], query: { rrf: { k: 60 } } });
      expect(got['2']).toBeCloseTo(1 / 61, 6);
      expect(got['3']).toBeCloseTo(1 / 62 + 1 / 60, 6);
    });

    test('without a k it is 2', async () => {
      const got = await scores({ prefetch: [dense, sparse], query: { rrf: {} } });
      expect(got['2']).toBeCloseTo(1 / 3, 6);
    });

    test('with weights: 1/((rank + 1)/weight + k − 1)', async () => {
      const got = await scores({ prefetch: [dense, sparse], query: { rrf: { weights: [3, 1] } } });
      expect(got['2']).toBeCloseTo(1 / (2 / 3 + 1), 5);
      expect(got['1']).toBeCloseTo(1 / (1 / 3 + 1) + 1 / (3 + 1), 5);
    });

    test('of a single prefetch the order stays', async () => {
      expect(await ids({ prefetch: [dense], query: { fusion: 'rrf' } })).toEqual([1, 2, 3, 4, 5, 6]);
    });

    test('distributions: (score − (mean − 3σ)) / 6σ, with the σ of a sample, added up', async () => {
      const got = await scores({ prefetch: [dense, sparse], query: { fusion: 'dbsf' } });
      const normal = (values: number[], value: number): number => {
        const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
        const square = values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (values.length - 1);
        const deviation = Math.sqrt(square);
        return (value - (mean - 3 * deviation)) / (6 * deviation);
      };
      const [x, w] = [
        [6, 5, 4, 3, 2, 1],
        [1, 3, 2],
      ];
      expectScores(got, {
        1: normal(x, 6) + normal(w, 1),
        2: normal(x, 5),
        3: normal(x, 4) + normal(w, 3),
        4: normal(x, 3),
        5: normal(x, 2) + normal(w, 2),
        6: normal(x, 1),
      });
    });

    test('of distributions a single hit scores one half', async () => {
      const one = { ...dense, filter: { must: [{ has_id: [4] }] } };
      expectScores(await scores({ prefetch: [one], query: { fusion: 'dbsf' } }), { 4: 0.5 });
    });

    test('limit and offset are of the fused result', async () => {
      const fused = { prefetch: [dense, sparse], query: { fusion: 'rrf' as const } };
      expect(await ids({ ...fused, limit: 2, offset: 2 })).toEqual([5, 2]);
    });

    test('a prefetch fetches ten when nothing is said, even when more are asked of the result', async () => {
      const got = await ids({
        prefetch: [
          { ...dense, limit: 2 },
          { ...sparse, limit: 1 },
        ],
        query: { fusion: 'rrf' },
        limit: 100,
      });
      expect(new Set(got)).toEqual(new Set([1, 2, 3]));
    });

    test('a prefetch has a filter of its own', async () => {
      const odd = { ...dense, filter: { must: [{ key: 'n', match: { any: [2, 4] } }] } };
      expect(new Set(await ids({ prefetch: [odd, sparse], query: { fusion: 'rrf' } }))).toEqual(
        new Set([1, 2, 3, 4, 5]),
      );
    });

    test('the filter at the root holds inside every prefetch', async () => {
      const filter = { must: [{ key: 'n', range: { gte: 5 } }] };
      const got = await ids({ prefetch: [{ ...dense, limit: 2 }], query: { fusion: 'rrf' }, filter });
      expect(got).toEqual([5, 6]);
    });

    test('a threshold of a prefetch is strict, that of a fused score is not', async () => {
      const some = { ...dense, score_threshold: 4 };
      expect(await ids({ prefetch: [some], query: { fusion: 'rrf' } })).toEqual([1, 2]);
      expect(await ids({ prefetch: [dense], query: { fusion: 'rrf' }, score_threshold: 0.5 })).toEqual([1]);
    });

    test('payload and vectors of what was fused', async () => {
      const [first] = await found({
        prefetch: [{ ...dense, limit: 1 }],
        query: { fusion: 'rrf' },
        with_payload: true,
        with_vector: ['dense'],
      });
      expect(first).toEqual({
        id: 1,
        version: expect.any(Number) as number,
        score: 0.5,
        payload: { n: 1 },
        vector: { dense: [6, 0] },
      });
    });

    test('a query over a prefetch sees only what was fetched', async () => {
      const got = await ids({ prefetch: [sparse], query: [1, 0], using: 'dense' });
      expect(got).toEqual([1, 3, 5]);
    });

    test('an order over a prefetch', async () => {
      const got = await ids({ prefetch: [sparse], query: { order_by: { key: 'n', direction: 'desc' } } });
      expect(got).toEqual([5, 3, 1]);
    });

    test('prefetches in prefetches', async () => {
      const inner = { prefetch: [{ ...sparse, limit: 2 }], ...dense };
      expect(await ids({ prefetch: [inner], query: { fusion: 'rrf' } })).toEqual([3, 5]);
    });

    test('one prefetch may stand without its list', async () => {
      expect(await scores({ prefetch: sparse, query: { fusion: 'rrf' } })).toEqual({
        3: 0.5,
        5: expect.closeTo(1 / 3, 5) as number,
        1: 0.25,
      });
    });

    test('a prefetch by the vector of a point leaves that point out', async () => {
      expect(await ids({ prefetch: [{ query: 1, using: 'dense' }], query: { fusion: 'rrf' } })).toEqual([
        2, 3, 4, 5, 6,
      ]);
    });

    test('in batches', async () => {
      const fused = { prefetch: [dense, sparse], query: { fusion: 'rrf' as const } };
      const [one, two] = await client.queryBatch(made(), {
        searches: [
          { ...fused, limit: 1, filter: { must: [{ has_id: [2, 4] }] } },
          { ...fused, offset: 2 },
        ],
      });
      expect(one?.points.map(({ id }) => id)).toEqual([2]);
      expect(two?.points.map(({ id }) => id)).toEqual([5, 2, 4, 6]);
    });

    test.each<[string, unknown, number, RegExp]>([
      ['k 0', { prefetch: [dense], query: { rrf: { k: 0 } } }, 422, /k: value 0 invalid/],
      ['a fusion without a prefetch', { query: { fusion: 'dbsf' } }, 400, /prefetch/],
      ['ranks without a prefetch', { query: { rrf: { k: 2 } } }, 400, /prefetch/],
      ['a prefetch without a query', { prefetch: [dense], limit: 3 }, 400, /query/],
      [
        'a prefetch of limit 0',
        { prefetch: [{ ...dense, limit: 0 }], query: { fusion: 'rrf' } },
        422,
        /limit: value 0 invalid/,
      ],
      [
        'a prefetch of a vector that is not there',
        { prefetch: [{ ...dense, using: 'x' }], query: { fusion: 'rrf' } },
        400,
        /Not existing vector name error: x/,
      ],
      [
        'a prefetch of a wrong dimension',
        { prefetch: [{ ...dense, query: [1] }], query: { fusion: 'rrf' } },
        400,
        /Vector dimension error/,
      ],
      [
        'a prefetch with an unknown clause of a filter',
        { prefetch: [{ ...dense, filter: { most: [] } }], query: { fusion: 'rrf' } },
        400,
        /^Format error/,
      ],
    ])('%s is refused', async (_, body, status, message) => {
      expectRefusal(await refused(body), status, message);
    });
  });
}
