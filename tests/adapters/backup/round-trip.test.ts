import { readdir } from 'node:fs/promises';
import { connectQdrant } from '../../../adapters/qdrant/connect.ts';
import { against, backupGround, proofOf, structureOf, type BackupGround } from '../../support/backup-ground.ts';

let on: BackupGround;
beforeAll(async () => {
  on = await backupGround();
}, 60_000);
afterAll(() => on.close());

test('B1 B3 a point of Postgres and Qdrant passes L1 and L2, and nothing of its scratch is left', async () => {
  const point = await on.take();
  const { databases, collections, generations, members } = point.draft;
  expect(generations).toEqual([
    { project: on.project, visible: 2, collection: on.collection, identity: expect.any(String) as string },
  ]);
  expect(members.map(({ kind }) => kind)).toEqual(['postgres', 'postgres', 'qdrant']);
  expect(databases[0]?.tables['public.chunks']?.rows).toBe(6);
  expect(databases[0]?.tables['public.source_incoming']).toBeUndefined();
  expect(collections[0]).toMatchObject({ name: on.collection, why: null, points: 5 });
  expect(collections[0]?.queries.length).toBeGreaterThan(0);

  expect(against(await structureOf(on, point))).toEqual([]);
  const found = await proofOf(on, point);
  expect(against(found)).toEqual([]);
  expect(found.map(({ check }) => check)).toEqual([
    ...['database.data.tables', 'database.data.rows', 'database.data.sequences', 'generations'],
    ...['database.ops.tables', 'database.ops.rows', 'database.ops.sequences'],
    ...['restored', 'points', 'payloads', 'vectors', 'queries'].map((of) => `collection.${on.collection}.${of}`),
  ]);
  await nothingLeft();
});

test('B1 without vectors the collection is rebuilt from the rows, and its point says so', async () => {
  const point = await on.take({ include_vectors: false });
  expect(point.draft.members.map(({ kind }) => kind)).toEqual(['postgres', 'postgres']);
  expect(point.draft.collections[0]).toMatchObject({ member: null, why: 'vectors were not asked for', points: 5 });
  const found = await proofOf(on, point);
  expect(against(found)).toEqual([]);
  expect(found.find(({ check }) => check.endsWith('.restored'))?.detail).toEqual({
    rebuilt: 'vectors were not asked for',
  });
  await nothingLeft();
});

async function nothingLeft(): Promise<void> {
  const { sql, qdrant } = on.ground;
  expect(
    await sql`select datname from pg_database where datname like ${`${on.database.slice(0, 16)}%scratch%`}`,
  ).toEqual([]);
  expect(await sql`select rolname from pg_roles where rolname like ${`${on.database.slice(0, 16)}%`}`).toEqual([]);
  const { collections } = await connectQdrant(on.qdrant).getCollections();
  expect(collections.filter(({ name }) => name.startsWith('holdfast-scratch-t_'))).toEqual([]);
  expect(await qdrant.listSnapshots(on.collection)).toEqual([]);
  expect(await readdir(on.folder)).not.toContain('work');
}
