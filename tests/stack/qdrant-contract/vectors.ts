import type { QdrantServer } from '../../support/qdrant.ts';
import { expectRefusal, expectRefused, ground, size4, type Config } from './ground.ts';

const sparse = { indices: [1, 7], values: [0.5, 2] };
const hybrid: Config = {
  vectors: { a: { size: 2, distance: 'Dot' }, b: { size: 2, distance: 'Dot' } },
  sparse_vectors: { s: {} },
};

export function describeVectors(server: QdrantServer): void {
  describe('vectors', () => {
    const { client, collection, ask, name } = ground(server);
    const vectorsOf = async (made: string, id = 1) =>
      (await client.retrieve(made, { ids: [id], with_vector: true, with_payload: false }))[0]?.vector;
    const write = (made: string, vector: unknown, wait = true) =>
      ask('PUT', `${made}/points?wait=${wait}`, { body: { points: [{ id: 1, vector }] } });
    const one = () => collection(hybrid, [{ id: 1, vector: { a: [1, 2], b: [3, 4], s: sparse }, payload: { n: 1 } }]);

    test('named dense and sparse ones come back as they were', async () => {
      await expect(vectorsOf(await one())).resolves.toEqual({ a: [1, 2], b: [3, 4], s: sparse });
    });

    test('a point may have some of them, or none', async () => {
      const made = await collection(hybrid, [
        { id: 1, vector: { s: sparse } },
        { id: 2, vector: {} },
      ]);
      await expect(vectorsOf(made)).resolves.toEqual({ s: sparse });
      await expect(vectorsOf(made, 2)).resolves.toEqual({});
    });

    test('sparse indices come back in order, whatever theirs was', async () => {
      const made = await collection(hybrid, [{ id: 1, vector: { s: { indices: [9, 2, 5], values: [1, 2, 3] } } }]);
      await expect(vectorsOf(made)).resolves.toEqual({ s: { indices: [2, 5, 9], values: [2, 3, 1] } });
    });

    test('a sparse vector of the largest index', async () => {
      const largest = { indices: [4_294_967_295], values: [1] };
      const made = await collection(hybrid, [{ id: 1, vector: { s: largest } }]);
      await expect(vectorsOf(made)).resolves.toEqual({ s: largest });
    });

    test('of cosine distance they are kept at length one', async () => {
      const made = await collection({ vectors: { size: 2, distance: 'Cosine' } }, [{ id: 1, vector: [3, 4] }]);
      const [x, y] = (await vectorsOf(made)) as number[];
      expect(x).toBeCloseTo(0.6, 6);
      expect(y).toBeCloseTo(0.8, 6);
    });

    test.each(['Dot', 'Euclid', 'Manhattan'] as const)('of distance %s they are kept as they are', async (distance) => {
      const made = await collection({ vectors: { size: 2, distance } }, [{ id: 1, vector: [3, 4] }]);
      await expect(vectorsOf(made)).resolves.toEqual([3, 4]);
    });

    test('with_vector by name gives those, and no others', async () => {
      const made = await one();
      const [point] = await client.retrieve(made, { ids: [1], with_vector: ['b', 's'] });
      expect(point?.vector).toEqual({ b: [3, 4], s: sparse });
    });

    test('update changes the ones given, and leaves the others and the payload', async () => {
      const made = await one();
      const answer = await client.updateVectors(made, { points: [{ id: 1, vector: { a: [9, 9] } }], wait: true });
      expect(answer.status).toBe('completed');
      await expect(client.retrieve(made, { ids: [1], with_vector: true })).resolves.toEqual([
        { id: 1, payload: { n: 1 }, vector: { a: [9, 9], b: [3, 4], s: sparse } },
      ]);
    });

    test('update adds one that was not there', async () => {
      const made = await collection(hybrid, [{ id: 1, vector: {} }]);
      await client.updateVectors(made, { points: [{ id: 1, vector: { s: sparse, b: [1, 1] } }], wait: true });
      await expect(vectorsOf(made)).resolves.toEqual({ s: sparse, b: [1, 1] });
    });

    test('update of one without a name', async () => {
      const made = await collection(size4, [{ id: 1, vector: [1, 0, 0, 0] }]);
      await client.updateVectors(made, { points: [{ id: 1, vector: [0, 0, 0, 1] }], wait: true });
      await expect(vectorsOf(made)).resolves.toEqual([0, 0, 0, 1]);
    });

    test('update of an id that is not there: 404', async () => {
      const work = client.updateVectors(await one(), { points: [{ id: 9, vector: { a: [1, 1] } }], wait: true });
      await expectRefused(work, 404, /^Not found: No point with id 9 found$/);
    });

    test('update of no points at all: 422', async () => {
      const answer = await ask('PUT', `${await one()}/points/vectors`, { body: { points: [] } });
      expectRefusal(answer, 422, /must specify points to update/);
    });

    test('delete takes away the ones named, by ids and by filter', async () => {
      const made = await one();
      const answer = await client.deleteVectors(made, { points: [1], vector: ['a'], wait: true });
      expect(answer.status).toBe('completed');
      await expect(vectorsOf(made)).resolves.toEqual({ b: [3, 4], s: sparse });
      const filter = { must: [{ key: 'n', match: { value: 1 } }] };
      await client.deleteVectors(made, { filter, vector: ['s'], wait: true });
      await expect(vectorsOf(made)).resolves.toEqual({ b: [3, 4] });
    });

    test('a deleted vector is found no more, its point is', async () => {
      const made = await one();
      await client.deleteVectors(made, { points: [1], vector: ['a'], wait: true });
      expect((await client.query(made, { query: [1, 1], using: 'a' })).points).toEqual([]);
      expect((await client.query(made, { query: [1, 1], using: 'b' })).points).toHaveLength(1);
    });

    test('delete of no names at all: 422', async () => {
      const answer = await ask('POST', `${await one()}/points/vectors/delete`, { body: { points: [1], vector: [] } });
      expectRefusal(answer, 422, /must specify vector names to delete/);
    });

    test('delete with neither ids nor a filter: 400', async () => {
      const answer = await ask('POST', `${await one()}/points/vectors/delete?wait=true`, { body: { vector: ['a'] } });
      expectRefusal(answer, 400, /./);
    });

    test('delete of an id that is not there: 404', async () => {
      const work = client.deleteVectors(await one(), { points: [9], vector: ['a'], wait: true });
      await expectRefused(work, 404, /^Not found: No point with id 9 found$/);
    });

    test('a dimension too few or too many: 400, and nothing is written', async () => {
      const made = await collection();
      const message = /Vector dimension error: expected dim: 4, got [35]/;
      expectRefusal(await write(made, [1, 2, 3]), 400, message);
      expectRefusal(await write(made, [1, 2, 3, 4, 5]), 400, message);
      await expect(client.count(made)).resolves.toEqual({ count: 0 });
    });

    test('a wrong dimension of a named one: 400', async () => {
      const message = /Vector dimension error: expected dim: 2, got 3/;
      expectRefusal(await write(await one(), { a: [1, 2, 3] }), 400, message);
    });

    test('a wrong dimension without waiting: 400 since 1.18, acknowledged and lost before; never written', async () => {
      const made = await collection();
      expect([400, 200]).toContain((await write(made, [1, 2, 3], false)).status);
      await client.upsert(made, { points: [{ id: 2, vector: [1, 2, 3, 4] }], wait: true });
      await expect(client.retrieve(made, { ids: [1, 2], with_payload: false })).resolves.toEqual([{ id: 2 }]);
    });

    test('a dense one under a name that is not there: 400', async () => {
      expectRefusal(await write(await one(), { nothing: [1, 2] }), 400, /Not existing vector name error: nothing/);
    });

    test('one without a name where they have names: 400', async () => {
      expectRefusal(await write(await one(), [1, 2]), 400, /Not existing vector name error|dimension/);
    });

    test('a dense one where a sparse one belongs, and the other way round: 400', async () => {
      const made = await one();
      expectRefusal(await write(made, { s: [1, 2] }), 400, /./);
      expectRefusal(await write(made, { a: sparse }), 400, /./);
    });

    test.each<[string, unknown, number, RegExp]>([
      ['fewer values than indices', { s: { indices: [1, 2], values: [1] } }, 422, /must be the same length/],
      ['an index twice', { s: { indices: [1, 1], values: [1, 2] } }, 422, /must be unique/],
      ['a negative index', { s: { indices: [-1], values: [1] } }, 400, /^Format error/],
      ['an index over 2^32', { s: { indices: [4_294_967_296], values: [1] } }, 400, /^Format error/],
      ['a fraction as index', { s: { indices: [1.5], values: [1] } }, 400, /^Format error/],
      ['indices without values', { s: { indices: [1] } }, 400, /^Format error/],
      ['truth values for numbers', { a: [true, false] }, 400, /^Format error/],
      ['null for a number', { a: [1, null] }, 400, /^Format error/],
    ])('%s is refused, and nothing is written', async (_, vector, status, message) => {
      const made = await collection(hybrid);
      expectRefusal(await write(made, vector), status, message);
      await expect(client.count(made)).resolves.toEqual({ count: 0 });
    });

    test('after writes that were refused the collection takes others', async () => {
      const made = await collection(hybrid);
      await write(made, { s: { indices: [1, 2], values: [1] } });
      await write(made, { nothing: [1, 2] });
      await write(made, { a: [1, 2, 3] });
      expect((await write(made, { a: [1, 2], s: sparse })).status).toBe(200);
      await expect(vectorsOf(made)).resolves.toEqual({ a: [1, 2], s: sparse });
    });

    test('an empty sparse vector is taken', async () => {
      expect((await write(await collection(hybrid), { s: { indices: [], values: [] } })).status).toBe(200);
    });

    test('of a collection that is not there: 404', async () => {
      await expectRefused(client.updateVectors(name(), { points: [{ id: 1, vector: [1] }] }), 404, /doesn't exist/);
      await expectRefused(client.deleteVectors(name(), { points: [1], vector: ['a'] }), 404, /doesn't exist/);
    });
  });
}
