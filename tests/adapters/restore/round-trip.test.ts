import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { databaseIncarnation } from '../../../adapters/postgres/database-incarnation.ts';
import { collectionExists } from '../../../adapters/qdrant/collections.ts';
import type { Watched } from '../../../adapters/backup/deps.ts';
import { createLeftSides } from '../../../adapters/restore/left-sides.ts';
import { emptyRestoreResult } from '../../../domain/restore/result.ts';
import type { RestoreReference } from '../../../domain/restore/run.ts';
import { backupGround, type BackupGround, type TakenPoint } from '../../support/backup-ground.ts';
import { beginWave, commitCorpus, documentsOf, rowsAt } from '../../support/generations.ts';
import { restoreGround, type RestoreGround } from '../../support/restore-ground.ts';
import { bindMounted, newTree, oldTree, readTree, writeTree, type BindMounted } from './bind-mounted.ts';

jest.setTimeout(180_000);

const never = new AbortController().signal;
const steps = new Set<string>();
const watched: Watched = { signal: never, beat: ({ step }) => steps.add(step) };
let on: BackupGround;
let bound: BindMounted;
let point: TakenPoint;
let ground: RestoreGround;
let dead: string;

/** A point, taken while a wave writes; then another wave, other files, and what a restore must not bring back. */
beforeAll(async () => {
  on = await backupGround();
  bound = bindMounted();
  writeTree(bound.root, oldTree);
  for (const name of ['data.db', 'data.db-wal', 'data.db-shm']) bound.remove(name);
  sqlite('create table t (x); insert into t values (1);');
  // Caught in its middle.
  const unfinished = await beginWave(on.ground, on.project);
  await on.ground.writer.write(unfinished.ref, documentsOf(on.project, { 'half.md': ['half a wave'] }));
  dead = unfinished.wave_id;
  point = await on.take({ fileSets: [{ name: 'web', service: null, root: bound.root, exclude: [] }] });
  ground = restoreGround(on, point);
  await on.ground.generations.discard(on.project, dead);
  const guard = async () => undefined;
  for (let state = 'more'; state !== 'done';) {
    const ref = { project: on.project, incarnation: unfinished.ref.incarnation };
    ({ state } = await on.ground.garbage.sweep(ref, unfinished.ref.number, 0, guard));
  }
  await commitCorpus(on.ground, on.project, { put: { 'since.md': ['written since the point'] } });
  for (const name of Object.keys(readTree(bound.root)).filter((each) => !each.includes('/'))) bound.remove(name);
  writeTree(bound.root, newTree);
}, 180_000);
afterAll(async () => {
  bound.close();
  await on.close();
});

function sqlite(statement: string): string {
  return execFileSync('sqlite3', [join(bound.root, 'data.db'), statement], { encoding: 'utf8' }).trim();
}

const pathsNow = () =>
  ground.live(async (sql) => {
    const [row] = await sql<{ visible: string }[]>`select visible from projects where id = ${on.project}`;
    return Object.keys(await rowsAt(sql, on.project, Number(row?.visible)));
  });

async function besideAndReady(ref: RestoreReference, vectors = true): Promise<void> {
  await ground.beside.database(ref, watched);
  await ground.beside.collections(ref, vectors, watched);
  expect(await ground.beside.compare(ref, watched)).toMatchObject({ ok: true });
  await ground.sides.makeReady(ref);
}

test.each([
  ['with the snapshots of Qdrant', true],
  ['with points that are computed from the rows', false],
])('B6 B7 B8 G4 G9 %s: restored, swapped, put back, swapped again and let go', async (_, vectors) => {
  const incarnations = new Set([await ground.live(databaseIncarnation)]);
  const before = await pathsNow();
  expect(before).toContain('since.md');
  const ref = await ground.open();
  expect(await ground.sides.settleWriters(never)).toMatchObject({ ok: true });
  await besideAndReady(ref, vectors);
  await ground.files.unpack(ref, 'web', watched);
  const told = ['unpack data', 'restore data', 'compare data', 'unpack web'];
  expect([...steps]).toEqual(expect.arrayContaining(told));
  // Nothing of it is seen so far.
  expect(await pathsNow()).toEqual(before);
  expect(readTree(bound.source)).toEqual(newTree);

  await ground.files.replace(ref, 'web');
  const from = performance.now();
  await ground.sides.swap(ref);
  const ms = performance.now() - from;
  await ground.sides.takeOver(ref, never);
  expect(await pathsNow()).toEqual(['a.md', 'c.md']);
  expect(sqlite('select x from t')).toBe('1');
  expect(await ground.health(ref, never)).toMatchObject({ ok: true, detail: { projects_asked: 1 } });
  incarnations.add(await ground.live(databaseIncarnation));
  // The wave that ran when the point was taken is never to be seen, and its number is swept as any other.
  const [generation] = await ground.live(
    (sql) =>
      sql<{ state: string; collection: string }[]>`select state, collection from generations where wave_id = ${dead}`,
  );
  expect(generation).toMatchObject({
    state: 'discarded',
    collection: expect.stringMatching(/-r[0-9a-f]{8}$/) as string,
  });

  // What is written while it is held is gone with the way back; the old side is as it was.
  await ground.live((sql) => sql`update projects set spec = '{"written": "while it was held"}'`);
  writeFileSync(join(bound.root, 'while-held.txt'), 'x');
  const [whileHeld] = await ground.live(
    (sql) =>
      sql<{ name: string }[]>`select ${`t-another-model-${ref.restore_id}`} || collections as name from incarnation`,
  );
  await on.ground.qdrant.createCollection(whileHeld?.name ?? '', { vectors: {} });
  await ground.sides.swapBack(ref);
  await ground.sides.swapBack(ref);
  await ground.files.undo(ref, 'web');
  expect(await pathsNow()).toEqual(before);
  expect(readTree(bound.source)).toEqual(newTree);
  expect(await ground.health(ref, never)).toMatchObject({ ok: true });
  incarnations.add(await ground.live(databaseIncarnation));
  expect(incarnations.size).toBe(3);
  await expect(ground.sides.drop(ref, 'old', never)).rejects.toThrow('not the side that is to stay');
  await ground.files.drop(ref, 'restored');
  await ground.sides.drop(ref, 'restored', never);
  await ground.sides.drop(ref, 'restored', never);
  expect(await collectionExists(on.ground.qdrant, generation?.collection ?? '')).toBe(false);
  expect(await collectionExists(on.ground.qdrant, whileHeld?.name ?? 'none')).toBe(false);
  expect(await collectionExists(on.ground.qdrant, on.collection)).toBe(true);
  expect(await namesOfSides()).toEqual([on.database, `${on.database}_ops`]);
  process.stdout.write(`swap: ${ms.toFixed(1)} ms\n`);
});

test('B6 let go: the old side is gone, with its points, and the restored one is all there is', async () => {
  const ref = await ground.open();
  await besideAndReady(ref);
  await ground.files.unpack(ref, 'web', watched);
  await ground.files.replace(ref, 'web');
  await ground.sides.swap(ref);
  await ground.sides.swap(ref);
  await expect(ground.sides.drop(ref, 'restored', never)).rejects.toThrow('not the side that is to stay');
  await ground.files.drop(ref, 'old');
  await ground.sides.drop(ref, 'old', never);
  await ground.sides.drop(ref, 'old', never);
  expect(await collectionExists(on.ground.qdrant, on.collection)).toBe(false);
  expect(await ground.health(ref, never)).toMatchObject({ ok: true });
  expect(await namesOfSides()).toEqual([on.database, `${on.database}_ops`]);
  expect(Object.keys(readTree(bound.source)).sort()).toContain('only-old.txt');
});

test('B6 a side that was left is dropped after another restore was released, and its point need not be there', async () => {
  const [left, next] = [await ground.open(), await ground.open()];
  await besideAndReady(left);
  await ground.files.unpack(left, 'web', watched);
  const made = (await ground.restores.journal(left.restore_id))?.collections.map(({ as }) => as) ?? [];
  const dropLeft = createLeftSides({
    left: async () => [{ ...left, side: 'restored', stamp: '20200101T000000Z-0000' }],
    ...{ files: ground.files, sides: ground.sides },
  });
  await besideAndReady(next);
  await ground.sides.swap(next);
  await ground.sides.drop(next, 'old', never);
  expect(await dropLeft(next, never)).toMatchObject([{ ok: true, reason: expect.stringMatching(/dropped/) as string }]);
  for (const name of made) expect(await collectionExists(on.ground.qdrant, name)).toBe(false);
  expect(await namesOfSides()).toEqual([on.database, `${on.database}_ops`]);
  expect(await ground.restores.journal(left.restore_id)).toBeNull();
  expect(Object.keys(readTree(bound.source)).filter((name) => name.startsWith('.holdfast'))).toEqual([]);
});

test('B6 an attempt that was given up writes nothing over the journal of the one after it', async () => {
  const ref = await ground.open();
  await ground.beside.database(ref, watched);
  await ground.beside.collections(ref, false, watched);
  const journal = await ground.restores.journal(ref.restore_id);
  const over = { ...watched, signal: AbortSignal.abort() };
  await expect(ground.beside.database(ref, over)).rejects.toThrow();
  await expect(ground.beside.collections(ref, false, over)).rejects.toThrow();
  expect(await ground.restores.journal(ref.restore_id)).toEqual(journal);
  await ground.sides.drop(ref, 'restored', never);
});

test('B6 sides that are left are those of restores that are over and could not drop them', async () => {
  const ref = await ground.open();
  await ground.beside.database(ref, watched);
  const entry = { restore_id: ref.restore_id, result: { ...emptyRestoreResult(), outcome: 'failed' as const } };
  const check = { check: 'drop_restored', phase: 'beside' as const, ok: false, reason: 'the box is away' };
  await ground.restores.record({ ...entry, phase: 'beside', evidence: [check] });
  expect(await ground.restores.left('test')).toEqual([]);
  await ground.restores.record({ ...entry, phase: 'closed', evidence: [] });
  const { restore_id, stamp } = ref;
  expect(await ground.restores.left('test')).toEqual([{ restore_id, stamp, side: 'restored' }]);
  await ground.sides.drop(ref, 'restored', never);
  expect(await ground.restores.left('test')).toEqual([]);
});

async function namesOfSides(): Promise<string[]> {
  const rows = await on.ground.databases.ops<{ datname: string }[]>`
    select datname from pg_database where datname like ${`${on.database}%`} order by datname`;
  return rows.map(({ datname }) => datname);
}
