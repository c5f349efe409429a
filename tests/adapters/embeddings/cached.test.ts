import { embeddedSha256, type EmbeddingIdentity } from '../../../domain/embedding.ts';
import { embedWithCache } from '../../../adapters/embeddings/cached.ts';
import type { Embedder } from '../../../adapters/embeddings/embedder.ts';
import { refuseOtherModel } from '../../../adapters/embeddings/probe.ts';
import { connect, type Sql } from '../../../adapters/postgres/connect.ts';
import { createVectorStore, vectorBytes, vectorFrom, type VectorStore } from '../../../adapters/postgres/vectors.ts';
import { realEmbedder } from '../../support/embedding-model.ts';
import { freshDatabases, type TestDatabases } from '../../support/servers.ts';

const never = new AbortController().signal;
let databases: TestDatabases;
let sql: Sql;
let store: VectorStore;
let embedder: Embedder;
const asked: string[] = [];

beforeAll(async () => {
  databases = await freshDatabases();
  sql = connect(databases.dataUrl, { name: 'holdfast-test' });
  store = createVectorStore(sql);
  const real = await realEmbedder();
  embedder = { ...real, embed: (texts, kind, signal) => (asked.push(...texts), real.embed(texts, kind, signal)) };
}, 300_000);
beforeEach(async () => {
  await sql`delete from vectors`;
  asked.splice(0);
});
afterAll(async () => {
  await embedder.close();
  await sql.end();
  await databases.drop();
});

const withSums = (texts: readonly string[]) => texts.map((text) => ({ text, sha256: embeddedSha256(text) }));

async function embedAndKeep(texts: readonly string[], by: Embedder = embedder) {
  const items = withSums(texts);
  const { vectors, embedded } = await embedWithCache(by, store, items, never);
  const made = items.map(({ sha256 }, at) => ({ embedded_sha256: sha256, vector: vectors[at] ?? new Float32Array() }));
  await store.keep(by.key, made);
  return { vectors, embedded };
}

test('W6 the same text again is not embedded again, and equal texts are embedded once', async () => {
  const first = await embedAndKeep(['one', 'two', 'one']);
  expect([first.embedded, asked]).toEqual([2, ['one', 'two']]);
  const second = await embedAndKeep(['two', 'three', 'one']);
  expect([second.embedded, asked]).toEqual([1, ['one', 'two', 'three']]);
  expect(second.vectors[0]).toEqual(first.vectors[1]);
  expect(second.vectors[2]).toEqual(first.vectors[0]);
  expect(first.vectors[2]).toEqual(first.vectors[0]);
  expect((await embedAndKeep([])).embedded).toBe(0);
});

test('G11 vectors of another identity are never taken', async () => {
  await embedAndKeep(['one']);
  const other = { ...embedder, key: 'another:384:mean:256:-' };
  expect((await embedAndKeep(['one'], other)).embedded).toBe(1);
});

test('a row that is damaged is made again and replaced; one that is whole stays as it is', async () => {
  await embedAndKeep(['one', 'two']);
  await sql`update vectors set vector = set_byte(vector, 7, (get_byte(vector, 7) + 1) % 256)
    where embedded_sha256 = ${Buffer.from(embeddedSha256('one'))}`;
  const before = await sql`select made_at, embedded_sha256 from vectors order by embedded_sha256`;
  expect((await embedAndKeep(['one', 'two'])).embedded).toBe(1);
  expect((await embedAndKeep(['one', 'two'])).embedded).toBe(0);
  expect(await sql`select made_at, embedded_sha256 from vectors order by embedded_sha256`).toEqual(before);
});

test('many writers of the same texts at once, in any order, do not wait for each other for ever', async () => {
  const texts = Array.from({ length: 40 }, (_, index) => `text ${index}`);
  const rows = withSums(texts).map(({ sha256 }) => ({ embedded_sha256: sha256, vector: Float32Array.of(1, 0) }));
  const writers = Array.from({ length: 6 }, (_, at) =>
    store.keep('k:2:mean:-:-', at % 2 === 0 ? rows : rows.toReversed()),
  );
  await Promise.all(writers);
  expect(
    await store.find(
      'k:2:mean:-:-',
      rows.map(({ embedded_sha256 }) => embedded_sha256),
    ),
  ).toHaveProperty('size', 40);
});

test('a vector is float32, little endian, in the rows', () => {
  expect(vectorBytes(Float32Array.of(1, -2.5)).toString('hex')).toBe('0000803f000020c0');
  expect(vectorFrom(Buffer.from('0000803f000020c0', 'hex'))).toEqual(Float32Array.of(1, -2.5));
  // As rows come from the driver: somewhere within a larger buffer.
  expect(vectorFrom(Buffer.from('ff0000803f', 'hex').subarray(1))).toEqual(Float32Array.of(1));
});

test('G11 another model under the name of an identity is refused for good, and rounding is not', async () => {
  const identity: EmbeddingIdentity = { ...embedder.identity, sha256: null, pooling: 'served' };
  const by = (change: (vector: Float32Array) => Float32Array): Embedder => ({
    ...embedder,
    identity,
    key: 'served:384:served:-:-',
    embed: async (...args) => (await embedder.embed(...args)).map(change),
  });
  await refuseOtherModel(
    by((vector) => vector),
    store,
    never,
  );
  await refuseOtherModel(
    by((vector) => vector.map((value, at) => value + (at % 2) * 0.002)),
    store,
    never,
  );
  const other = refuseOtherModel(
    by((vector) => vector.toReversed()),
    store,
    never,
  );
  await expect(other).rejects.toMatchObject({ type: 'EmbeddingMismatch' });
  const smaller = refuseOtherModel(
    by((vector) => vector.slice(0, 10)),
    store,
    never,
  );
  await expect(smaller).rejects.toMatchObject({ type: 'EmbeddingMismatch' });
});
