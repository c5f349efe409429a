import { cp, mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../adapters/process/run-command.ts';
import { checkBytes } from '../../adapters/backup/bytes.ts';
import { compareScratch } from '../../adapters/backup/compare.ts';
import { dropRestoredCollection } from '../../adapters/backup/restore-collection.ts';
import { dropScratch, restoreIntoScratch } from '../../adapters/backup/scratch.ts';
import type { TarEntry } from '../../adapters/backup/tar-pack.ts';
import {
  against,
  backupGround,
  flipBit,
  proofOf,
  quiet,
  structureOf,
  type BackupGround,
  type TakenPoint,
} from '../support/backup-ground.ts';
import {
  copyOf,
  fileHolding,
  memberOf,
  pathOf,
  replaceStatement,
  withChangedBytes,
  withChangedDump,
  withFiles,
} from '../support/damage.ts';

// Issue 7, proof 1: damage that has got into a point with right hashes, as if it had been captured so. Damage of stored bytes is
// found by L0.

let on: BackupGround;
let good: TakenPoint;
const secret = 'SECRET-OF-A-DUMP';
const padding = `COMMENT ON TABLE public.migrations IS '${'x'.repeat(300)}';`;

beforeAll(async () => {
  on = await backupGround();
  await on.ground.sql.unsafe(padding);
  await on.ground.sql`
    insert into source_items (project, source, path, sha256, bytes)
    select ${on.project}, 'docs', ${secret} || n, sha256(n::text::bytea), n from generate_series(1, 2000) n`;
  const root = join(on.folder, 'set');
  await mkdir(join(root, 'inner'), { recursive: true });
  await writeFile(join(root, 'inner', 'note.txt'), 'kept');
  await sqlite(
    join(root, 'app.db'),
    'create table t (v text); insert into t select hex(randomblob(500)) from generate_series(1, 200)',
  );
  good = await on.take({ fileSets: [{ name: 'app', service: 'app', root, exclude: [] }] });
}, 120_000);
afterAll(() => on.close());

test('the point is good before it is damaged', async () => {
  expect(against(await structureOf(on, good))).toEqual([]);
  expect(against(await proofOf(on, good))).toEqual([]);
});

describe('L0 of the bytes', () => {
  const bytesOf = ({ folder, draft }: TakenPoint) => checkBytes(folder, draft, quiet);
  const kinds = ['postgres', 'qdrant', 'files'] as const;

  test.each(kinds)('one bit of a member of %s', async (kind) => {
    const bad = await copyOf(good);
    const member = memberOf(bad, kind);
    await flipBit(pathOf(bad, member));
    expect(against(await bytesOf(bad))).toEqual([expect.stringContaining(`L0 member.bytes ${member.name}`)]);
    // And whoever reads it all the same does not get through.
    expect(against(await structureOf(on, bad))).toEqual([expect.stringContaining(`L1`)]);
  });

  test.each(kinds)('a member of %s that was cut, or is not there', async (kind) => {
    const bad = await copyOf(good);
    const member = memberOf(bad, kind);
    await truncate(pathOf(bad, member), member.stored.bytes - 1);
    expect(against(await bytesOf(bad))).toEqual([expect.stringContaining(`L0 member.bytes ${member.name}`)]);
    expect(against(await structureOf(on, bad))).toHaveLength(1);
    await rm(pathOf(bad, member));
    expect(against(await bytesOf(bad))).toEqual([expect.stringContaining('it is not there')]);
    expect(against(await structureOf(on, bad))).toHaveLength(1);
  });

  test('a member of another point, and one that nobody named', async () => {
    const [bad, other] = [await copyOf(good), await on.take()];
    const member = memberOf(bad, 'postgres');
    await cp(pathOf(other, member), pathOf(bad, member));
    expect(against(await bytesOf(bad))).toEqual([expect.stringContaining(`L0 member.bytes ${member.name}`)]);
    await cp(pathOf(good, member), pathOf(bad, member));
    await writeFile(join(bad.folder, 'members', 'more.zst'), 'more');
    expect(against(await bytesOf(bad))).toEqual([expect.stringContaining('members.extra')]);
  });
});

describe('L2 of Postgres', () => {
  test('an uncompressed dump that was cut restores without an error: the hashes of its rows find it', async () => {
    const bad = await withChangedDump(good, 'data', async (folder) => {
      const path = await fileHolding(folder, secret);
      const rows = (await readFile(path, 'latin1')).split('\n');
      await writeFile(path, rows.slice(0, rows.length / 2).join('\n') + '\n', 'latin1');
    });
    expect(against(await structureOf(on, bad))).toEqual([]);
    expect(against(await proofOf(on, bad))).toEqual([
      expect.stringMatching(/^L2 database\.data\.rows: public\.source_items has \d+ rows, not 2000$/),
    ]);
  });

  test('a byte of a row is another one, and there are as many rows', async () => {
    const bad = await withChangedDump(good, 'data', async (folder) => {
      const path = await fileHolding(folder, secret);
      await writeFile(path, (await readFile(path, 'latin1')).replace(`${secret}7\t`, `${secret}7!\t`), 'latin1');
    });
    expect(against(await structureOf(on, bad))).toEqual([]);
    expect(against(await proofOf(on, bad))).toEqual(['L2 database.data.rows: rows of public.source_items differ']);
  });

  test('a row that changed between the dump and its hashes', async () => {
    await on.ground.sql`update source_items set bytes = bytes + 1 where path = ${`${secret}9`}`;
    const later = await on.take();
    await on.ground.sql`update source_items set bytes = bytes - 1 where path = ${`${secret}9`}`;
    const databases = good.draft.databases.map((each) => (each.role === 'data' ? later.draft.databases[0] : each));
    const draft = { ...good.draft, databases: databases as typeof good.draft.databases };
    expect(against(await proofOf(on, { ...good, draft }))).toEqual([
      'L2 database.data.rows: rows of public.source_items differ',
    ]);
  });

  test('a sequence that is behind: what comes next would take numbers that were given', async () => {
    const [data, ops] = good.draft.databases;
    if (data === undefined || ops === undefined) throw new Error('The point has two databases');
    const [name] = Object.keys(data.sequences);
    const ahead = { ...data, sequences: { ...data.sequences, [name ?? '']: '1000000' } };
    const draft = { ...good.draft, databases: [ahead, ops] };
    expect(against(await proofOf(on, { ...good, draft }))).toEqual([
      expect.stringMatching(/^L2 database\.data\.sequences: public\.\w+ is at -?\d+, below 1000000$/),
    ]);
  });

  test('a dump that would run a program ends with an error, and nothing was run', async () => {
    const proof = join(on.folder, 'was-run');
    const bad = await withChangedDump(good, 'data', (folder) =>
      replaceStatement(folder, padding, `COPY public.migrations FROM PROGRAM 'touch ${proof}'; `),
    );
    expect(against(await structureOf(on, bad))).toEqual([]);
    expect(against(await proofOf(on, bad))).toEqual([
      expect.stringMatching(/^L2 restored: pg_restore of data ended with 1: .*(permission denied|must be superuser)/),
    ]);
    await expect(stat(proof)).rejects.toThrow('ENOENT');
  });

  test('a dump that would read a file of the server ends with an error', async () => {
    const bad = await withChangedDump(good, 'ops', async (folder) => {
      const statement =
        (await readFile(join(folder, 'toc.dat'), 'latin1')).match(/CREATE INDEX events_[^;]*;/)?.[0] ?? '';
      await replaceStatement(folder, statement, `COPY public.locks FROM '/etc/passwd';`);
    });
    expect(against(await proofOf(on, bad))).toEqual([
      expect.stringMatching(/^L2 restored: pg_restore of ops ended with 1: /),
    ]);
  });

  test('an extension that this server does not have', async () => {
    const bad = await withChangedDump(good, 'data', (folder) =>
      replaceStatement(folder, padding, 'CREATE EXTENSION holdfast_no_such_extension;'),
    );
    expect(against(await proofOf(on, bad))).toEqual([
      expect.stringMatching(/^L2 restored: pg_restore of data ended with 1: .*holdfast_no_such_extension/),
    ]);
  });
});

describe('L1 of a dump', () => {
  test('a table of contents that is cut', async () => {
    const bad = await withChangedDump(good, 'data', (folder) => truncate(join(folder, 'toc.dat'), 3_000));
    expect(against(await structureOf(on, bad))).toEqual([
      expect.stringMatching(/^L1 dump\.data: pg_restore --list ended with 1/),
    ]);
  });

  test('a dump without the rows of a table that the manifest names', async () => {
    const [data, ops] = good.draft.databases;
    if (data === undefined || ops === undefined) throw new Error('The point has two databases');
    const more = { ...data, tables: { ...data.tables, 'public.lost': { rows: 1, sha256: 'a'.repeat(64) } } };
    const draft = { ...good.draft, databases: [more, ops] };
    expect(against(await structureOf(on, { ...good, draft }))).toEqual([
      'L1 dump.data: the dump does not list the rows of public.lost',
    ]);
  });

  test('what is no tar, and a tar that ends early', async () => {
    const member = memberOf(good, 'postgres');
    const junk = await withChangedBytes(good, member, (bytes) => Buffer.alloc(bytes.length, 7));
    expect(against(await structureOf(on, junk))).toEqual([
      expect.stringMatching(/^L1 dump\.data: The archive is damaged/),
    ]);
    const cut = await withChangedBytes(good, member, (bytes) => bytes.subarray(0, 100_000));
    expect(against(await structureOf(on, cut))).toEqual([expect.stringMatching(/^L1 dump\.data: /)]);
  });
});

describe('L2 of Qdrant', () => {
  const inPlaceOf = async (damage: (collection: string) => Promise<unknown>): Promise<string[]> => {
    const scratch = `d_${Math.random().toString(36).slice(2, 10)}`;
    const workFolder = join(on.folder, 'work');
    const deps = { ...on, reader: good.reader };
    try {
      const restored = await restoreIntoScratch(deps, { ...quiet, manifest: good.draft, scratch, workFolder });
      await damage(restored.collections.get(on.collection)?.name ?? '');
      await mkdir(workFolder, { recursive: true });
      return against(await compareScratch(deps, { ...quiet, manifest: good.draft, scratch: restored, workFolder }));
    } finally {
      await dropScratch(on, scratch);
    }
  };
  const of = (check: string) => `L2 collection.${on.collection}.${check}`;
  const somePoint = async (collection: string) => {
    const alive = { must: [{ key: 'died', range: { gt: 2 } }] };
    const { points } = await on.ground.qdrant.scroll(collection, {
      limit: 1,
      filter: alive,
      with_vector: true,
      with_payload: true,
    });
    return points[0] as {
      id: string;
      vector: { dense: number[]; terms: { indices: number[]; values: number[] } };
      payload: Record<string, unknown>;
    };
  };

  test('points that are missing', async () => {
    const found = await inPlaceOf(async (collection) => {
      await on.ground.qdrant.delete(collection, { wait: true, points: [(await somePoint(collection)).id] });
    });
    expect(found).toContainEqual(expect.stringContaining(`${of('points')}: 1 points missing`));
    expect(found).toContainEqual(expect.stringContaining(`${of('payloads')}: 4 points, not 5`));
  });

  test('points that no row has', async () => {
    const found = await inPlaceOf(async (collection) => {
      const point = await somePoint(collection);
      const extra = { ...point, id: '0b1d3f52-0000-4000-8000-00000000beef' };
      await on.ground.qdrant.upsert(collection, { wait: true, points: [extra] });
    });
    expect(found).toContainEqual(expect.stringContaining(`${of('points')}: 1 points without a row, such as 0b1d3f52`));
  });

  test('a payload that says something else, and a vector that is another one', async () => {
    const payload = await inPlaceOf(async (collection) => {
      const points = [(await somePoint(collection)).id];
      await on.ground.qdrant.setPayload(collection, { wait: true, points, payload: { kind: 'other' } });
    });
    expect(payload).toContainEqual(expect.stringContaining(`${of('points')}: 1 points unlike their rows`));
    expect(payload).toContainEqual(expect.stringContaining(`${of('payloads')}: payloads are not`));
    const vector = await inPlaceOf(async (collection) => {
      const { id, vector: held } = await somePoint(collection);
      const points = [{ id, vector: { ...held, dense: held.dense.map((value) => -value) } }];
      await on.ground.qdrant.updateVectors(collection, { wait: true, points });
    });
    expect(vector).toContainEqual(expect.stringContaining(`${of('points')}: 1 points unlike their rows`));
    expect(vector).toContainEqual(expect.stringContaining(`${of('vectors')}: vectors are not`));
  });

  test('an exact question that is answered in another way', async () => {
    const [collection] = good.draft.collections;
    if (collection === undefined) throw new Error('The point has a collection');
    const queries = collection.queries.map((query) => ({ ...query, ids: query.ids.slice(0, -1).concat('gone') }));
    const draft = { ...good.draft, collections: [{ ...collection, queries }] };
    expect(against(await proofOf(on, { ...good, draft }))).toEqual([
      expect.stringContaining(`${of('queries')}: another answer to`),
    ]);
  });

  test('a collection that is gone', async () => {
    const found = await inPlaceOf((collection) => dropRestoredCollection(on, collection));
    expect(found).toEqual([`${of('points')}: the collection is not there`]);
  });

  test('a snapshot that Qdrant refuses: the rows make the collection, and the point is not proved by that', async () => {
    const bad = await withChangedBytes(good, memberOf(good, 'qdrant'), (bytes) => {
      bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
      return bytes;
    });
    expect(against(await proofOf(on, bad))).toEqual([
      expect.stringContaining(`${of('restored')}: Qdrant refuses the snapshot`),
    ]);
  });

  test('a snapshot of another minor version is not used: the collection is rebuilt, and that is said', async () => {
    const versions = { ...good.draft.versions, qdrant: '1.2.3' };
    const found = await proofOf(on, { ...good, draft: { ...good.draft, versions } });
    expect(against(found)).toEqual([]);
    expect(found.find(({ check }) => check.endsWith('.restored'))?.detail).toEqual({
      rebuilt: expect.stringMatching(/^the snapshot is of Qdrant 1\.2\.3, this is /) as string,
    });
  });
});

describe('at the capture', () => {
  test('an index that differs from the rows gives no member: it is rebuilt from the rows, and the point says why', async () => {
    const { qdrant, reconciliation } = on.ground;
    const { points } = await qdrant.scroll(on.collection, {
      limit: 1,
      filter: { must: [{ key: 'died', range: { gt: 2 } }] },
    });
    await qdrant.delete(on.collection, { wait: true, points: [String(points[0]?.id)] });
    const point = await on.take();
    await reconciliation.project(on.project, quiet.signal);
    expect(point.draft.collections[0]).toMatchObject({
      member: null,
      why: expect.stringMatching(/^the collection differed from the rows: 1 missing/) as string,
      points: 5,
    });
    expect(against(await proofOf(on, point))).toEqual([]);
  });

  test('a collection that is gone is rebuilt from the rows', async () => {
    const { qdrant, reconciliation } = on.ground;
    await qdrant.deleteCollection(on.collection);
    const point = await on.take();
    await reconciliation.project(on.project, quiet.signal);
    expect(point.draft.collections[0]).toMatchObject({ member: null, why: 'the collection was not there' });
    expect(against(await proofOf(on, point))).toEqual([]);
  });
});

describe('L1 of files', () => {
  const file = (name: string): TarEntry => ({ header: { name, size: 1, type: 'file' }, content: Buffer.from('x') });
  test.each<[string, TarEntry, RegExp]>([
    ['an absolute path', file('/etc/cron.d/x'), /leads out of its folder: "\/etc/],
    ['a path that climbs', file('inner/../../x'), /leads out of its folder: "inner/],
    [
      'a link to an absolute path',
      { header: { name: 'l', type: 'symlink', linkname: '/etc' }, content: null },
      /link that leads out .*: l -> \/etc/,
    ],
    [
      'a link that climbs',
      { header: { name: 'a/l', type: 'symlink', linkname: '../../x' }, content: null },
      /link that leads out/,
    ],
    [
      'a hard link',
      { header: { name: 'h', type: 'link', linkname: 'inner/note.txt' }, content: null },
      /no file, folder or symbolic link: h/,
    ],
    [
      'a device',
      { header: { name: 'd', type: 'block-device', devmajor: 8, devminor: 0 }, content: null },
      /no file, folder or symbolic link: d/,
    ],
    ['other files than it says', file('only'), /1 files of 1 bytes, not 2 of \d+/],
  ])('%s', async (_, entry, reason) => {
    const bad = await withFiles(good, [entry]);
    expect(against(await structureOf(on, bad))).toEqual([expect.stringMatching(reason)]);
  });
});

test('L2 of files: a database of SQLite that is damaged inside', async () => {
  const bad = await withChangedBytes(good, memberOf(good, 'files'), (bytes) => {
    const start = bytes.indexOf('SQLite format 3\0');
    // Its second page: the table of values.
    bytes.fill(0xff, start + 4_096, start + 4_096 + 64);
    return bytes;
  });
  expect(against(await structureOf(on, bad))).toEqual([]);
  expect(against(await proofOf(on, bad))).toEqual([
    expect.stringMatching(/^L2 files\.app: .*(damaged|malformed|cannot be read)/),
  ]);
});

test('a copy of a point is as good as the point', async () => {
  expect(against(await structureOf(on, await copyOf(good)))).toEqual([]);
});

async function sqlite(path: string, statements: string): Promise<void> {
  const { exit_code, stderr } = await runCommand(['sqlite3', path, statements], {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '' },
  });
  if (exit_code !== 0) throw new Error(stderr);
}
