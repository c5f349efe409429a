import type { QdrantClient } from '@qdrant/js-client-rest';
import { mkdtempSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEmbeddedQdrant, type EmbeddedQdrant } from '../support/embedded-qdrant.ts';
import { createRandom } from '../support/proof-size.ts';
import { qdrantClient } from '../support/qdrant.ts';
import { removeTree } from '../support/remove-tree.ts';
import { ask, headersOf } from './qdrant-contract/ask.ts';
import { expectRefusal } from './qdrant-contract/ground.ts';

// What only the embedded server promises; what it has in common with the real one is in qdrant.contract.test.ts.
const collection = 'kept';
const config = { vectors: { dense: { size: 4, distance: 'Dot' } }, sparse_vectors: { sparse: {} } } as const;
const random = createRandom();
let folder: string;
let qdrant: EmbeddedQdrant;
let client: QdrantClient;

async function start(): Promise<void> {
  qdrant = await startEmbeddedQdrant(folder);
  client = qdrantClient(qdrant.server);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-qdrant-'));
  await start();
}, 120_000);
beforeEach(async () => {
  await client.deleteCollection(collection);
  await client.createCollection(collection, config);
});
afterAll(async () => {
  await qdrant.stop();
  removeTree(folder);
});

const vector = { dense: [1, 0, 0, 0], sparse: { indices: [1], values: [1] } };
const write = (ids: readonly number[], payload: Record<string, unknown> = {}) =>
  client.upsert(collection, { points: ids.map((id) => ({ id, vector, payload: { id, ...payload } })), wait: true });
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const allIds = async (name = collection) => (await client.scroll(name, { limit: 10_000 })).points.map(({ id }) => id);

describe('what is not served says so: 501 in the envelope, by its name', () => {
  test.each<['GET' | 'POST' | 'PUT', string, unknown, RegExp]>([
    ['POST', 'kept/points/query', { query: { text: 'words', model: 'm' }, using: 'dense' }, /inference/],
    ['POST', 'kept/points/query/groups', { group_by: 'a' }, /groups/],
    ['POST', 'kept/points/search/matrix/pairs', {}, /matrix/],
    ['PUT', 'kept/points', { points: [{ id: 1, vector: { dense: { text: 'words', model: 'm' } } }] }, /inference/],
    ['PUT', 'other', { ...config, quantization_config: { scalar: { type: 'int8' } } }, /quantisation/],
    ['PUT', 'other', { ...config, sharding_method: 'custom' }, /sharding/],
    ['PUT', 'kept/shards', { shard_key: 'a' }, /sharding/],
    ['GET', 'kept/shards/0/snapshots', undefined, /shard/],
    ['POST', 'kept/cluster', {}, /cluster/],
  ])('%s %s %j', async (method, path, body, feature) => {
    const answer = await ask(qdrant.server, method, `/collections/${path}`, { body });
    expectRefusal(answer, 501, feature);
    await expect(client.collectionExists('other')).resolves.toEqual({ exists: false });
    await expect(client.count(collection)).resolves.toEqual({ count: 0 });
  });
});

describe('ties come in a stable order', () => {
  const dense = { query: [1, 0, 0, 0], using: 'dense' };
  const sparse = { query: { indices: [1], values: [1] }, using: 'sparse' };

  test.each([
    ['nearest', dense],
    ['reciprocal ranks', { prefetch: [dense, sparse], query: { fusion: 'rrf' as const } }],
    ['distributions', { prefetch: [dense, sparse], query: { fusion: 'dbsf' as const } }],
  ])('%s', async (_, request) => {
    await write(range(0, 40));
    const ask_ = async () => (await client.query(collection, { ...request, limit: 40 })).points.map(({ id }) => id);
    const first = await ask_();
    for (let i = 0; i < 10; i += 1) await expect(ask_()).resolves.toEqual(first);
  });

  test('two points, each first in one of two lists, come by id', async () => {
    const points = [
      { id: 2, vector: { dense: [2, 0, 0, 0], sparse: { indices: [1], values: [1] } } },
      { id: 1, vector: { dense: [1, 0, 0, 0], sparse: { indices: [1], values: [2] } } },
    ];
    await client.upsert(collection, { points, wait: true });
    const { points: found } = await client.query(collection, { prefetch: [dense, sparse], query: { fusion: 'rrf' } });
    expect(found.map(({ id }) => id)).toEqual([1, 2]);
  });
});

describe('its storage', () => {
  test('what was acknowledged with wait is there after SIGKILL', async () => {
    const acknowledged: number[] = [];
    const writer = async (first: number): Promise<void> => {
      for (let id = first; ; id += 4) {
        try {
          await write([id]);
        } catch {
          return;
        }
        acknowledged.push(id);
      }
    };
    const writers = Promise.all(range(0, 4).map((first) => writer(first)));
    await sleep(700);
    await qdrant.kill();
    await writers;
    await start();
    expect(acknowledged.length).toBeGreaterThan(10);
    const there = new Set(await allIds());
    const missing = acknowledged.filter((id) => !there.has(id));
    expect(missing).toEqual([]);
  });

  test('SIGTERM ends it with 0; restarted, it has points, aliases, indexes and configuration', async () => {
    await write(range(1, 4), { word: 'a' });
    await client.createPayloadIndex(collection, { field_name: 'word', field_schema: 'keyword', wait: true });
    await client.updateCollection(collection, { hnsw_config: { m: 24 } });
    await client.updateCollectionAliases({
      actions: [{ create_alias: { alias_name: 'other_name', collection_name: collection } }],
    });
    const told = async () => {
      const [info, aliases, points] = await Promise.all([
        client.getCollection(collection),
        client.getAliases(),
        client.scroll('other_name', { with_vector: true, filter: { must: [{ key: 'word', match: { value: 'a' } }] } }),
      ]);
      return { config: info.config, schema: info.payload_schema, aliases, points };
    };
    const before = await told();
    const code = await qdrant.stop();
    await start();
    await expect(told()).resolves.toEqual(before);
    expect(code).toBe(0);
    expect(before.points.points).toHaveLength(3);
  });

  test('after SIGKILL it has them too', async () => {
    await client.createPayloadIndex(collection, { field_name: 'word', field_schema: 'keyword', wait: true });
    await client.updateCollectionAliases({
      actions: [{ create_alias: { alias_name: 'after_kill', collection_name: collection } }],
    });
    await client.createCollection('deleted', config);
    await client.deleteCollection('deleted');
    await qdrant.kill();
    await start();
    expect((await client.getCollection('after_kill')).payload_schema).toHaveProperty('word');
    await expect(client.collectionExists('deleted')).resolves.toEqual({ exists: false });
  });

  test('a second server on it ends with 101, and the first one goes on', async () => {
    await write([1, 2]);
    await expect(startEmbeddedQdrant(folder)).rejects.toMatchObject({ name: 'QdrantEnded', code: 101 });
    await write([3]);
    await expect(allIds()).resolves.toEqual([1, 2, 3]);
    const snapshot = await client.createSnapshot(collection);
    expect(snapshot?.size).toBeGreaterThan(0);
  });
});

describe('its snapshots', () => {
  const upload = (bytes: Uint8Array, target: string) => {
    const body = new FormData();
    body.set('snapshot', new Blob([new Uint8Array(bytes)]), 'given.snapshot');
    return ask(qdrant.server, 'POST', `/collections/${target}/snapshots/upload`, { body });
  };
  const download = async (name: string): Promise<Buffer> => {
    const url = `${qdrant.server.url}/collections/${collection}/snapshots/${name}`;
    return Buffer.from(await (await fetch(url, { headers: headersOf(qdrant.server) })).arrayBuffer());
  };

  test('one with a bit flipped anywhere is refused, and nothing changes', async () => {
    await write(range(0, 100), { text: 'a payload that is long enough to be found in the file '.repeat(5) });
    const bytes = await download((await client.createSnapshot(collection))?.name ?? '');
    await client.upsert(collection, { points: [{ id: 1000, vector }], wait: true });
    const dataAt = bytes.indexOf('a payload that is long enough');
    const places = [dataAt, ...range(0, 5).map(() => Math.floor(random() * bytes.length))].filter((at) => at >= 0);
    for (const at of places) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 4;
      const answer = await upload(flipped, collection);
      // Between files a tar has padding that nothing reads.
      if (bytes[at] !== 0) expect([at, answer.status]).not.toEqual([at, 200]);
      if (answer.status !== 200) await expect(allIds()).resolves.toHaveLength(101);
    }
  });

  test('readers see the old or the new while one is recovered, and are never refused', async () => {
    await write(range(0, 300));
    const snapshot = await client.createSnapshot(collection);
    const location = `file://${qdrant.server.snapshotsPath}/${collection}/${snapshot?.name}`;
    await write(range(300, 400));
    const recovery = { done: false };
    const work = client.recoverSnapshot(collection, { location }).finally(() => (recovery.done = true));
    const seen = new Set<number>();
    while (!recovery.done) seen.add((await client.count(collection)).count);
    await work;
    expect([300, 400]).toEqual(expect.arrayContaining([...seen]));
    await expect(client.count(collection)).resolves.toEqual({ count: 300 });
  });

  test('SIGKILL during a recovery leaves the old or the new, at whatever moment', async () => {
    await write(range(0, 300));
    const snapshot = await client.createSnapshot(collection);
    const location = `file://${qdrant.server.snapshotsPath}/${collection}/${snapshot?.name}`;
    const [before, after] = [range(1000, 1500), range(0, 300)];
    for (const wait of [0, 20, 60, 120, 250, 500]) {
      await client.delete(collection, { filter: {}, wait: true });
      await write(before);
      const recovery = client.recoverSnapshot(collection, { location }).then(
        () => 'answered',
        () => 'cut off',
      );
      await sleep(wait * (0.5 + random()));
      await qdrant.kill();
      const how = await recovery;
      await start();
      const now = await allIds();
      expect(how === 'answered' ? [after] : [before, after]).toContainEqual(now);
      await write([5000]);
    }
  }, 120_000);

  test('SIGKILL during a recovery of a new name leaves none of it, or all of it', async () => {
    await write(range(0, 300));
    const snapshot = await client.createSnapshot(collection);
    const location = `file://${qdrant.server.snapshotsPath}/${collection}/${snapshot?.name}`;
    const recovery = client.recoverSnapshot('fresh', { location }).catch(() => false);
    await sleep(60 * random());
    await qdrant.kill();
    await recovery;
    await start();
    const { exists } = await client.collectionExists('fresh');
    expect(exists ? await allIds('fresh') : range(0, 300)).toEqual(range(0, 300));
    await client.deleteCollection('fresh');
  });

  test('a snapshot on disk has the checksum that was said', async () => {
    await write([1]);
    const snapshot = await client.createSnapshot(collection);
    const kept = join(qdrant.server.snapshotsPath, collection);
    expect(readdirSync(kept)).toContain(snapshot?.name);
    const onDisk = await readFile(join(kept, snapshot?.name ?? ''));
    expect(onDisk.equals(await download(snapshot?.name ?? ''))).toBe(true);
  });
});
