import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { dropMemoryIndex, memoryCollection } from '../../../adapters/memories/collection.ts';
import { createMemoryReconciliation } from '../../../adapters/memories/reconcile.ts';
import { connect, databaseUrl } from '../../../adapters/postgres/connect.ts';
import { putMemoryPoints } from '../../../adapters/qdrant/memory-points.ts';
import { servers } from '../../support/servers.ts';
import { wordEmbedder } from '../search/world.ts';
import { createMemoryWorld, type MemoryWorld } from './memory-world.ts';

let world: MemoryWorld;
beforeEach(async () => (world = await createMemoryWorld()));
afterEach(() => world.close());

const signal = new AbortController().signal;

/** An embedder that must not be asked: what was embedded once is in the rows. */
function silent() {
  const embedder = wordEmbedder();
  const embed = () => Promise.reject(new Error('embedded again'));
  return { ...embedder, embed };
}

test('G12 a Qdrant that lost everything is filled again out of the rows, and nothing is embedded for it', async () => {
  const texts = Array.from({ length: 150 }, (_, at) => `remark ${at} about bolts`);
  const made = (await Promise.all(texts.map((text) => world.remember({ text })))).map(({ id }) => id);
  const collection = await memoryCollection(world.databases.data);
  await world.qdrant.deleteCollection(collection?.name ?? '');
  expect(await world.reconciliation.differs()).toBe(true);
  const done = await world.with({ embeddings: silent() }).reconciliation.all(signal);
  expect(done).toEqual({ forgotten: 0, embedded: 0, put: 150, removed: 0 });
  expect(await world.points()).toEqual(made.sort());
  expect(await world.reconciliation.all(signal)).toEqual({ forgotten: 0, embedded: 0, put: 0, removed: 0 });
});

test('G12 extra points go, also many, and points of what is written meanwhile stay', async () => {
  const kept = await world.remember({ text: 'a bolt of eight millimetres' });
  const collection = await memoryCollection(world.databases.data);
  const strays = Array.from({ length: 200 }, () => randomUUID());
  await putMemoryPoints(
    world.qdrant,
    collection?.name ?? '',
    strays.map((id) => ({
      ...{ id, type: 'knowledge', project: null, terms: { indices: [1], values: [1] } },
      dense: Float32Array.from({ length: 64 }, () => 0.125),
    })),
  );
  const writing = Promise.all(Array.from({ length: 20 }, (_, at) => world.remember({ text: `bolt ${at}` })));
  const { removed } = await world.reconciliation.all(signal);
  const written = (await writing).map(({ id }) => id);
  expect([removed, (await world.points()).sort()]).toEqual([200, [kept.id, ...written].sort()]);
});

test.each([
  ['a model that is away', () => Promise.reject(new Error('the model is away'))],
  ['a model that does not answer', (_texts: unknown, _kind: unknown, until: AbortSignal) => abortOf(until)],
])('G12 B6 %s holds no restore up: what it is needed for comes later', async (_, embed) => {
  const whole = await world.remember({ text: 'a bolt of eight millimetres' });
  const bare = await world.remember({ text: 'the drain is blocked' });
  await world.databases.data`delete from memory_vectors where memory = ${bare.id}`;
  const before = await memoryCollection(world.databases.data);
  await world.qdrant.deleteCollection(before?.name ?? '');
  const away = world.with({ embeddings: { ...wordEmbedder(), embed } }).reconciliation;
  await expect(away.inTime(500, signal)).resolves.toMatchObject({
    put: 1,
    embedded: 0,
    later: expect.any(String) as string,
  });
  expect(await world.points()).toEqual([whole.id]);
  expect(await memoryCollection(world.databases.data)).toEqual(before);
  expect(await world.reconciliation.inTime(20_000, signal)).toMatchObject({ put: 1, embedded: 1, later: null });
  expect(await world.points()).toEqual([whole.id, bare.id].sort());
});

function abortOf(until: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => until.addEventListener('abort', () => reject(until.reason as Error)));
}

test('G12 a vector that is damaged in its row is made again', async () => {
  const { id } = await world.remember({ text: 'the drain is blocked' });
  const { data } = world.databases;
  await data`update memory_vectors set vector = set_byte(vector, 0, 255 - get_byte(vector, 0)) where memory = ${id}`;
  const collection = await memoryCollection(data);
  await world.qdrant.delete(collection?.name ?? '', { points: [id], wait: true });
  expect(await world.reconciliation.all(signal)).toMatchObject({ embedded: 1, put: 1 });
  expect((await world.search({ query: 'drain' })).hits.map((hit) => hit.id)).toEqual([id]);
});

test('G12 a restore of an older dump: what was forgotten since stays forgotten, what was written since is gone, points follow', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-memories-'));
  const program = (name: string) => join('/usr/lib/postgresql/15/bin', name);
  const [kept, secret] = [
    await world.remember({ text: 'the gate code is in the safe' }),
    await world.remember({ text: 'the gate code is 4711' }),
  ];
  const dump = join(folder, 'data.dump');
  execFileSync(program('pg_dump'), ['-Fc', '-f', dump, world.databases.dataUrl]);
  await world.memories.forget(secret.id, { actor: 'tester', reason: 'a secret' });
  const marker = await world.remember({ text: 'a marker of a drill', type: 'episodic', provenance: { kind: 'drill' } });

  // As a restore does it: beside, then under the name of the live one.
  const { database } = world.databases;
  const admin = connect(servers().databaseUrl, { name: 'holdfast-test', max: 1 });
  try {
    await admin`create database ${admin(`${database}_new`)} template template0`;
    execFileSync(program('pg_restore'), [
      '--exit-on-error',
      '-d',
      databaseUrl(servers().databaseUrl, `${database}_new`),
      dump,
    ]);
    await admin`drop database ${admin(database)} with (force)`;
    await admin`alter database ${admin(`${database}_new`)} rename to ${admin(database)}`;
  } finally {
    await admin.end();
    rmSync(folder, { recursive: true });
  }

  const done = await world.with({ embeddings: silent() }).reconciliation.all(signal);
  expect(done).toEqual({ forgotten: 1, embedded: 0, put: 0, removed: 1 });
  expect([await world.points(), await world.memories.find(marker.id), await world.memories.find(secret.id)]).toEqual([
    [kept.id],
    null,
    null,
  ]);
  expect((await world.search({ query: 'gate code' })).hits.map(({ id }) => id)).toEqual([kept.id]);
});

test('G12 a copy of the database beside the live one has points of its own, and leaves those of the live one alone', async () => {
  const { id } = await world.remember({ text: 'the boiler needs water' });
  const { database, ops } = world.databases;
  const copy = `${database}_scratch`;
  const admin = connect(servers().databaseUrl, { name: 'holdfast-test', max: 1 });
  await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${database}`;
  await admin`create database ${admin(copy)} template ${admin(database)}`;
  const data = connect(databaseUrl(servers().databaseUrl, copy), { name: 'holdfast-test' });
  try {
    await data`delete from memories`;
    const { qdrant } = world;
    expect(await createMemoryReconciliation({ data, ops, qdrant, embeddings: silent() }).all(signal)).toMatchObject({
      removed: 0,
    });
    const own = await memoryCollection(data);
    await dropMemoryIndex({ data, qdrant });
    expect((await qdrant.collectionExists(own?.name ?? '')).exists).toBe(false);
    const collection = await memoryCollection(world.databases.data);
    expect(collection?.name).not.toBe(own?.name);
    expect(await qdrant.retrieve(collection?.name ?? '', { ids: [id] })).toHaveLength(1);
  } finally {
    await data.end();
    await admin`drop database if exists ${admin(copy)} with (force)`;
    await admin.end();
  }
});
