import type { QdrantServer } from '../../support/qdrant.ts';
import { ground, size4, type Config } from './ground.ts';

const hybrid: Config = {
  vectors: { dense: { size: 4, distance: 'Cosine' }, image: { size: 2, distance: 'Euclid', on_disk: true } },
  sparse_vectors: { words: { modifier: 'idf' }, plain: {} },
};

export function describeCollectionInfo(server: QdrantServer): void {
  describe('what is told of a collection', () => {
    const { client, name, collection } = ground(server);

    test('an empty one is green, without points', async () => {
      const info = await client.getCollection(await collection());
      expect(info).toMatchObject({
        status: 'green',
        optimizer_status: 'ok',
        points_count: 0,
        indexed_vectors_count: 0,
        segments_count: expect.any(Number) as number,
        payload_schema: {},
      });
      expect(info).not.toHaveProperty('vectors_count');
    });

    test('vector parameters are echoed as given, with no defaults added', async () => {
      const { config } = await client.getCollection(await collection());
      expect(config.params.vectors).toEqual({ size: 4, distance: 'Dot' });
      expect(config.params).not.toHaveProperty('sparse_vectors');
    });

    test('named and sparse vectors are echoed as given', async () => {
      const { config } = await client.getCollection(await collection(hybrid));
      expect(config.params.vectors).toEqual(hybrid.vectors);
      expect(config.params.sparse_vectors).toEqual(hybrid.sparse_vectors);
    });

    test('the defaults of a new one', async () => {
      const { config } = await client.getCollection(await collection());
      expect(config.params).toMatchObject({
        shard_number: 1,
        replication_factor: 1,
        write_consistency_factor: 1,
        on_disk_payload: true,
      });
      expect(config.hnsw_config).toMatchObject({ m: 16, ef_construct: 100, full_scan_threshold: 10_000 });
      expect(config.optimizer_config).toMatchObject({ deleted_threshold: 0.2, vacuum_min_vector_number: 1000 });
      expect(config.wal_config).toMatchObject({ wal_capacity_mb: 32 });
    });

    test('what was given besides is said back', async () => {
      const made = await collection({ ...size4, on_disk_payload: false, hnsw_config: { m: 8, ef_construct: 64 } });
      const { config } = await client.getCollection(made);
      expect(config.params.on_disk_payload).toBe(false);
      expect(config.hnsw_config).toMatchObject({ m: 8, ef_construct: 64, full_scan_threshold: 10_000 });
    });

    test('parameters of one vector are echoed where they were given', async () => {
      const vectors = { size: 4, distance: 'Dot', on_disk: true, hnsw_config: { m: 32 } } as const;
      const { config } = await client.getCollection(await collection({ vectors }));
      expect(config.params.vectors).toEqual(vectors);
    });

    test('points are counted, also after deletions', async () => {
      const points = [1, 2, 3].map((id) => ({ id, vector: [id, 0, 0, 0] }));
      const made = await collection(size4, points);
      expect((await client.getCollection(made)).points_count).toBe(3);
      await client.delete(made, { points: [2], wait: true });
      expect((await client.getCollection(made)).points_count).toBe(2);
    });

    test('sparse vectors count as indexed at once, a few dense ones do not', async () => {
      const vector = { dense: [1, 0, 0, 0], words: { indices: [1], values: [1] } };
      const made = await collection(hybrid, [
        { id: 1, vector },
        { id: 2, vector },
      ]);
      expect((await client.getCollection(made)).indexed_vectors_count).toBe(2);
    });

    test('it is told by an alias too', async () => {
      const made = await collection(size4, [{ id: 1, vector: [1, 0, 0, 0] }]);
      const alias = name();
      await client.updateCollectionAliases({
        actions: [{ create_alias: { collection_name: made, alias_name: alias } }],
      });
      expect((await client.getCollection(alias)).points_count).toBe(1);
    });
  });
}
