import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSourceStatus } from '../../../adapters/postgres/source-status.ts';
import { directorySpec, openData, startSourceProject, type SourceProject } from './source-project.ts';

let data: Awaited<ReturnType<typeof openData>>;
let at: SourceProject;
beforeAll(async () => (data = await openData()));
afterAll(() => data.close());
beforeEach(async () => (at = await startSourceProject(data.sql)));
afterEach(() => at.close());

interface Row {
  readonly path: string;
  readonly change: string;
  readonly former_path: string | null;
  readonly state: string;
  readonly sha256: string | null;
}

const spec = (more: object = {}) => directorySpec(at.root, more);
const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
const itemsOf = (wave_id: string) => at.sql<Row[]>`
  select path, change, former_path, state, encode(sha256, 'hex') as sha256 from wave_items where wave_id = ${wave_id} order by path`;
const stagedRows = () => at.sql<{ path: string; sha256: string; box: string }[]>`
  select path, encode(sha256, 'hex') as sha256, box from staged_items where project = ${at.project} order by path`;

async function planned() {
  await at.list(spec());
  return (await at.plan()).wave_id;
}

test('W2 equal content is there once, under its hash, and is copied once', async () => {
  at.write({ 'a.md': 'same', 'b.md': 'same', 'c.md': 'other' });
  const wave_id = await planned();
  expect(await at.stage(spec(), wave_id)).toEqual({
    staged: 3,
    bytes: 13,
    copied: expect.any(Number) as number,
    changed: 0,
    missing: 0,
  });
  expect(await stagedRows()).toEqual(
    [
      ['a.md', 'same'],
      ['b.md', 'same'],
      ['c.md', 'other'],
    ].map(([path, content]) => ({ path, sha256: sha256(content ?? ''), box: 'testbox' })),
  );
  expect(readFileSync(at.sources.contents.pathOf(sha256('same')), 'utf8')).toBe('same');
  expect(await at.stage(spec(), wave_id)).toMatchObject({ staged: 3, copied: 0 });
});

test('W2 a staging that is repeated copies only what is not there, also when rows say that it is', async () => {
  at.write({ 'a.md': 'A', 'b.md': 'B', 'c.md': 'C' });
  const wave_id = await planned();
  await at.stage(spec(), wave_id);
  rmSync(at.sources.contents.pathOf(sha256('B')));
  expect(await at.stage(spec(), wave_id)).toMatchObject({ staged: 3, copied: 1 });
  expect(existsSync(at.sources.contents.pathOf(sha256('B')))).toBe(true);
});

test('W2 a file that was changed since it was listed is staged as it is now, and everything says so', async () => {
  at.write({ 'a.md': 'listed' });
  const wave_id = await planned();
  at.write({ 'a.md': 'changed later' });
  expect(await at.stage(spec(), wave_id)).toMatchObject({ staged: 1, changed: 1, bytes: 13 });
  const now = sha256('changed later');
  expect((await itemsOf(wave_id))[0]).toMatchObject({ change: 'added', sha256: now });
  expect((await stagedRows())[0]?.sha256).toBe(now);
  // The listing knows no version of these bytes, so the next one reads them.
  expect((await at.list(spec())).read).toBe(1);
});

test('W2 a file that changes while it is copied: its hash is that of what was staged', async () => {
  at.write({ 'a.md': 'x'.repeat(5_000_000) });
  const wave_id = await planned();
  const path = join(at.root, 'a.md');
  appendFileSync(path, 'y');
  const writing = setInterval(() => appendFileSync(path, 'z'.repeat(1_000)), 1);
  await at.stage(spec(), wave_id).finally(() => clearInterval(writing));
  const [row] = await stagedRows();
  const [item] = await itemsOf(wave_id);
  expect(item?.sha256).toBe(row?.sha256);
  const bytes = await at.sources.contents.read(row?.sha256 ?? '');
  expect(sha256(bytes)).toBe(row?.sha256);
  expect(bytes.length).toBeGreaterThan(5_000_000);
  const [recorded] = await at.sql<{ bytes: number }[]>`select bytes::int from wave_items where wave_id = ${wave_id}`;
  expect(recorded?.bytes).toBe(bytes.length);
});

test('W6 a move whose bytes are other ones by now is a change of the same document', async () => {
  at.write({ 'old.md': 'content' });
  await at.wave(spec());
  rmSync(join(at.root, 'old.md'));
  at.write({ 'new.md': 'content' });
  const wave_id = await planned();
  expect(await itemsOf(wave_id)).toMatchObject([{ path: 'new.md', change: 'moved', former_path: 'old.md' }]);
  // Its old bytes are in the store; only without them is the source looked at.
  rmSync(at.sources.contents.pathOf(sha256('content')));
  at.write({ 'new.md': 'other content' });
  await at.stage(spec(), wave_id);
  expect(await itemsOf(wave_id)).toMatchObject([
    { path: 'new.md', change: 'changed', former_path: 'old.md', sha256: sha256('other content') },
  ]);
});

test('W6 a file that is gone by now fails alone, and is planned again when it is back', async () => {
  at.write({ 'a.md': 'A', 'b.md': 'B' });
  const wave_id = await planned();
  rmSync(join(at.root, 'a.md'));
  expect(await at.stage(spec(), wave_id)).toMatchObject({ staged: 1, missing: 1 });
  expect((await itemsOf(wave_id)).map(({ state }) => state)).toEqual(['failed', 'planned']);
  at.write({ 'a.md': 'A' });
  expect(await at.stage(spec(), wave_id)).toMatchObject({ staged: 2, missing: 0 });
  expect((await itemsOf(wave_id)).map(({ state }) => state)).toEqual(['planned', 'planned']);
});

test('W2 a source of which a wave needs nothing may be away', async () => {
  at.write({ 'a.md': 'A' });
  const wave_id = await planned();
  expect(await at.stage(directorySpec(join(at.root, 'away'), { name: 'other' }), wave_id)).toMatchObject({ staged: 0 });
});

test('W3 a folder of 200 GB on a disk of 10 GB is refused before anything is read or copied, with both figures', async () => {
  const large = join(at.root, 'large.bin');
  writeFileSync(large, '');
  // Sparse: its size is all there is of it.
  truncateSync(large, 200_000_000_000);
  at.free = 10_000_000_000;
  const wide = spec({ limits: { max_file_bytes: 1e12, max_files: 10, max_bytes: 1e12 } });
  await expect(at.list(wide)).rejects.toMatchObject({
    type: 'NoRoom',
    message: expect.stringMatching(/needs 200 GB and 10\.0 GB are free/) as string,
  });
  expect(existsSync(at.sources.contents.root)).toBe(false);
  expect(await at.items()).toEqual([]);
});

test('W3 room that went between the plan and the staging refuses the staging before it copies', async () => {
  at.write({ 'a.md': 'x'.repeat(100_000) });
  const wave_id = await planned();
  at.free = 1_073_741_824 + 99_999;
  await expect(at.stage(spec(), wave_id)).rejects.toMatchObject({ type: 'NoRoom' });
  expect(existsSync(at.sources.contents.root)).toBe(false);
  at.free += 1;
  expect(await at.stage(spec(), wave_id)).toMatchObject({ staged: 1 });
});

test('W2 what no row names is collected, but for what is young; what rows name stays', async () => {
  // Other tests have the same database: contents of its own.
  const contents = ['A', 'B', 'C'].map((letter) => `${letter} of ${at.project}`);
  at.write({ 'a.md': contents[0] ?? '', 'b.md': contents[1] ?? '', 'c.md': contents[2] ?? '' });
  await at.wave(spec());
  for (const gone of ['a.md', 'b.md']) rmSync(join(at.root, gone));
  await at.wave(spec());
  await at.sql`delete from wave_items where project = ${at.project}`;
  const [a, b, c] = contents.map((content) => at.sources.contents.pathOf(sha256(content)));
  const old = new Date(Date.now() - 2 * 3_600_000);
  for (const path of [a, c]) utimesSync(path ?? '', old, old);
  const work = { signal: new AbortController().signal, heartbeat: () => undefined };
  expect(await at.sources.collect(work)).toEqual({ removed: 1, bytes: contents[0]?.length });
  expect([a, b, c].map((path) => existsSync(path ?? ''))).toEqual([false, true, true]);
});

test('W2 the three places: what each holds, how old it is, and how far the next one is behind', async () => {
  at.write({ 'a.md': 'A', 'b.md': 'B', 'c.md': 'C', 'link.md': '-> a.md' });
  await at.wave(spec());
  const status = async () => (await readSourceStatus(at.sql, at.project, [{ name: 'notes', kind: 'directory' }]))[0];
  const none = { missing: 0, differing: 0, extra: 0 };
  expect(await status()).toMatchObject({
    ...{ source: 'notes', kind: 'directory', quarantined: 0, drift: { staged: none, store: none } },
    truth: { items: 3, bytes: 3, revision: null, skipped: { link: { count: 1 } }, age_s: expect.any(Number) as number },
    staged: { items: 3, bytes: 3, boxes: ['testbox'] },
    store: { documents: 3, bytes: 3, generation: 1, age_s: expect.any(Number) as number },
  });
  at.write({ 'a.md': 'A2', 'd.md': 'D' });
  rmSync(join(at.root, 'c.md'));
  await at.list(spec());
  const drifted = { missing: 1, differing: 1, extra: 1 };
  expect((await status())?.drift).toEqual({ staged: drifted, store: drifted });
  const { wave_id } = await at.plan();
  await at.stage(spec(), wave_id);
  expect((await status())?.drift).toEqual({ staged: none, store: drifted });
  expect(await readSourceStatus(at.sql, at.project, [])).toMatchObject([{ source: 'notes', kind: null }]);
  expect(await readSourceStatus(at.sql, at.project, [{ name: 'new', kind: 'git' }])).toMatchObject([
    { source: 'new', kind: 'git', truth: null, staged: null, store: null },
    { source: 'notes' },
  ]);
});
