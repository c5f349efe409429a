import { fixSettings, hashedTables, hashTable } from '../../../adapters/backup/table-hashes.ts';
import { comparePoints, differenceOf } from '../../../adapters/backup/collection-hashes.ts';
import type { ComparedPoint } from '../../../adapters/backup/collection-points.ts';
import { surelyFirst } from '../../../adapters/backup/sampled-queries.ts';
import { isWithin } from '../../../adapters/backup/way.ts';
import { connect } from '../../../adapters/postgres/connect.ts';
import { freshDatabases, type TestDatabases } from '../../support/servers.ts';

let databases: TestDatabases;
beforeAll(async () => {
  databases = await freshDatabases();
}, 60_000);
afterAll(() => databases.drop());

async function hashOf(name: string, settings: Readonly<Record<string, string>> = {}): Promise<string> {
  const sql = connect(databases.dataUrl, { name: 'holdfast-test', max: 1 });
  try {
    return await sql.begin<Promise<string>>(async (tx) => {
      for (const [setting, value] of Object.entries(settings)) await tx`select set_config(${setting}, ${value}, true)`;
      await fixSettings(tx);
      const table = (await hashedTables(tx)).find((each) => each.name === name);
      if (table === undefined) throw new Error(`${name} is not hashed`);
      return (await hashTable(tx, table)).sha256;
    });
  } finally {
    await sql.end();
  }
}

test('B2 the hash of a table is of its rows and columns: not of their order on the disk, nor of settings', async () => {
  const { data } = databases;
  await data.unsafe(`
    create type mood as enum ('good', 'bad');
    create table odd (n int, t text, at timestamptz, f float8, b bytea, j jsonb, a text[], m mood, r regclass, gone int);
    alter table odd drop column gone;
    insert into odd select n, 'ä' || n, '2026-01-01'::timestamptz + n * interval '1 day', n / 3.0, sha256(n::text::bytea),
      jsonb_build_object('n', n), array['x', null, n::text], 'bad', 'odd'::regclass from generate_series(1, 500) n;
    create table same (n int, t text, at timestamptz, f float8, b bytea, j jsonb, a text[], m mood, r regclass);
    insert into same select * from odd order by n desc;`);
  const hash = await hashOf('public.odd');
  expect(await hashOf('public.same')).toBe(hash);
  const settings = { datestyle: 'German', timezone: 'Asia/Tokyo', bytea_output: 'escape', extra_float_digits: '-10' };
  expect(await hashOf('public.odd', { ...settings, search_path: 'public' })).toBe(hash);

  for (const change of [
    `update same set t = t || '.' where n = 77`,
    `update same set f = f + 1e-12 where n = 77`,
    `delete from same where n = 77`,
    `insert into same select * from same where n = 77`,
    `alter table same rename column t to u`,
  ]) {
    await data.unsafe(`truncate same; insert into same select * from odd; ${change}`);
    expect([change, await hashOf('public.same')]).not.toEqual([change, hash]);
    if (change.startsWith('alter')) break;
  }
});

test('B2 an empty table has a hash, an unlogged one has none: a crash empties it', async () => {
  const { data } = databases;
  await data.unsafe('create table nothing (n int); create unlogged table passing (n int)');
  expect(await hashOf('public.nothing')).toMatch(/^[0-9a-f]{64}$/);
  await expect(hashOf('public.passing')).rejects.toThrow('public.passing is not hashed');
});

const point = (id: string, more: Partial<ComparedPoint> = {}): ComparedPoint => ({
  ...{ id, project: 'p', kind: 'corpus', born: 1, terms: [1, 7], weights: [0.5, 0.25] },
  dense: Float32Array.from([0.6, 0.8]),
  ...more,
});
async function* all(...points: ComparedPoint[]): AsyncGenerator<ComparedPoint> {
  yield* points;
}

test('B3 rows and points are compared in both directions, and in all that they hold', async () => {
  const closeBy = point('b', { dense: Float32Array.from([0.6 + 1e-7, 0.8]) });
  const compared = await comparePoints(
    all(point('a'), point('b'), point('c'), point('d'), point('e')),
    all(point('b', closeBy), point('c', { weights: [0.5, 0.26] }), point('d', { born: 2 }), point('e'), point('f')),
  );
  expect(compared.missing).toEqual({ count: 1, ids: ['a'] });
  expect(compared.extra).toEqual({ count: 1, ids: ['f'] });
  expect(compared.different).toEqual({ count: 2, ids: ['c', 'd'] });
  expect(differenceOf(compared)).toBe('1 missing (such as a), 1 extra (such as f), 2 different (such as c)');
  const same = await comparePoints(all(point('a')), all(point('a')));
  expect(differenceOf(same)).toBeNull();
  expect(same.rows).toEqual(same.held);
  expect((await comparePoints(all(point('a')), all(point('a', { dense: null })))).different.count).toBe(1);
});

test('B3 of sampled questions those answers count that any exact search gives', () => {
  const hits = (scores: readonly number[]) => scores.map((score, at) => ({ id: String(at), score }));
  // Everything that there is.
  expect(surelyFirst(hits([0.9, 0.9, 0.1]))).toEqual(['0', '1', '2']);
  // Of more than were fetched: up to the last clear step.
  const many = Array.from({ length: 32 }, (_, at) => (at < 20 ? 0.9 - at / 100 : 0.5));
  expect(surelyFirst(hits(many))).toHaveLength(20);
  expect(surelyFirst(hits(Array.from({ length: 32 }, () => 0.5)))).toEqual([]);
});

test.each([
  ['.', 'a/b', true],
  ['a/b', '../c', true],
  ['a/b', '../../c', true],
  ['a/b', '../../../c', false],
  ['.', '..', false],
  ['a', 'x/../../../y', false],
])('B6 from %s the way %s stays inside: %s', (folder, way, inside) => expect(isWithin(folder, way)).toBe(inside));
