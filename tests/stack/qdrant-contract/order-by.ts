import type { QdrantServer } from '../../support/qdrant.ts';
import { expectRefusal, ground, sharedCollection, size4 } from './ground.ts';

const vector = [1, 0, 0, 0];
const points = [
  { id: 1, vector, payload: { n: 30, f: 0.5, day: '2024-03-01T00:00:00Z', word: 'a' } },
  { id: 2, vector, payload: { n: [10, 40], f: -1.5, day: '2023-01-01' } },
  { id: 3, vector, payload: { n: 20, f: 2, day: '2025-06-15T12:30:00+02:00' } },
  { id: 4, vector, payload: { word: 'b' } },
];
const indexes = { n: 'integer', f: 'float', day: 'datetime', word: 'keyword' } as const;

export function describeOrderBy(server: QdrantServer): void {
  describe('scrolling by a value (order_by)', () => {
    const { client, ask } = ground(server);
    const made = sharedCollection(server, size4, points, indexes);
    type Ordered = { id: unknown; order_value?: unknown };
    const rows = (found: readonly Ordered[]) => found.map(({ id, order_value }) => [id, order_value]);
    const scroll = async (body: Parameters<typeof client.scroll>[1]) => client.scroll(made(), body);
    const refused = (body: unknown) => ask('POST', `${made()}/points/scroll`, { body });

    test('upwards when nothing is said, with the value; a point comes once for each of its values', async () => {
      const { points: found, next_page_offset } = await scroll({ order_by: 'n' });
      expect(rows(found as Ordered[])).toEqual([
        [2, 10],
        [3, 20],
        [1, 30],
        [2, 40],
      ]);
      expect(next_page_offset).toBeNull();
    });

    test('downwards', async () => {
      const { points: found } = await scroll({ order_by: { key: 'n', direction: 'desc' } });
      expect(rows(found as Ordered[]).map(([, value]) => value)).toEqual([40, 30, 20, 10]);
    });

    test('fractions', async () => {
      const { points: found } = await scroll({ order_by: { key: 'f', direction: 'asc' } });
      expect(rows(found as Ordered[])).toEqual([
        [2, -1.5],
        [1, 0.5],
        [3, 2],
      ]);
    });

    test('times, whose values are microseconds since 1970', async () => {
      const { points: found } = await scroll({ order_by: 'day' });
      expect(rows(found as Ordered[])).toEqual([
        [2, Date.UTC(2023, 0, 1) * 1000],
        [1, Date.UTC(2024, 2, 1) * 1000],
        [3, Date.UTC(2025, 5, 15, 10, 30) * 1000],
      ]);
    });

    test('from a value on, which counts itself, in either direction', async () => {
      const up = await scroll({ order_by: { key: 'n', start_from: 20 } });
      expect(rows(up.points as Ordered[]).map(([, value]) => value)).toEqual([20, 30, 40]);
      const down = await scroll({ order_by: { key: 'n', direction: 'desc', start_from: 20 } });
      expect(rows(down.points as Ordered[]).map(([, value]) => value)).toEqual([20, 10]);
      const days = await scroll({ order_by: { key: 'day', start_from: '2024-01-01T00:00:00Z' } });
      expect(days.points.map(({ id }) => id)).toEqual([1, 3]);
    });

    test('with a limit and a filter', async () => {
      const two = await scroll({ order_by: 'n', limit: 2 });
      expect(two.points.map(({ id }) => id)).toEqual([2, 3]);
      expect(two.next_page_offset).toBeNull();
      const filter = { must: [{ has_id: [1, 3] }] };
      expect((await scroll({ order_by: 'n', filter })).points.map(({ id }) => id)).toEqual([3, 1]);
    });

    test('with the payload that is asked for', async () => {
      const { points: found } = await scroll({ order_by: 'f', limit: 1, with_payload: ['f'], with_vector: true });
      expect(found).toEqual([{ id: 2, payload: { f: -1.5 }, vector, order_value: -1.5 }]);
    });

    test('with an offset: 400', async () => {
      expectRefusal(await refused({ order_by: 'n', offset: 2 }), 400, /order_by.*offset|offset.*order_by/i);
    });

    test.each(['word', 'nothing'])('by %s, which has no index of ranges: 400', async (key) => {
      expectRefusal(await refused({ order_by: key }), 400, /No range index for `order_by` key/);
    });

    test('in an unknown direction: 400', async () => {
      expectRefusal(await refused({ order_by: { key: 'n', direction: 'up' } }), 400, /^Format error/);
    });
  });
}
