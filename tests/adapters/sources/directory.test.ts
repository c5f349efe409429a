import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAllowedRoots } from '../../../adapters/files/allowed-roots.ts';
import { openDirectory } from '../../../adapters/sources/directory.ts';
import { createSkipList } from '../../../domain/source/item.ts';
import {
  directorySpec,
  openData,
  settle,
  startSourceProject,
  writeKeepingTimes,
  type SourceProject,
} from './source-project.ts';

let data: Awaited<ReturnType<typeof openData>>;
let at: SourceProject;
beforeAll(async () => (data = await openData()));
afterAll(() => data.close());
beforeEach(async () => (at = await startSourceProject(data.sql)));
afterEach(() => at.close());

const rows = () => at.sql`
  select path, encode(sha256, 'hex') as sha256, xmin::text from source_items where project = ${at.project} order by path`;

test('W3 what the globs mean is listed: no hidden file that is not asked for, nothing of an excluded folder or of .git', async () => {
  at.write({
    'a.md': 'a',
    'deep/er/b.md': 'b',
    'c.txt': 'c',
    '.hidden.md': 'h',
    '.git/config.md': 'g',
    'node_modules/x/readme.md': 'n',
    'deep/node_modules/y/readme.md': 'n',
  });
  const listing = await at.list(directorySpec(at.root, { include: ['**/*.md'], exclude: ['**/node_modules/**'] }));
  expect(await at.items()).toEqual(['a.md', 'deep/er/b.md']);
  expect(listing).toMatchObject({ items: 2, bytes: 2, read: 2, skipped: {}, revision: null });
  await at.list(directorySpec(at.root, { include: ['.hidden.md', '.git/**'] }));
  expect(await at.items()).toEqual(['.hidden.md']);
});

test('W3 links are not followed, special files not opened, names that are no text not taken; each is counted and named', async () => {
  mkdirSync(join(at.folder, 'secret'));
  writeFileSync(join(at.folder, 'secret/key.md'), 'key');
  at.write({
    'a.md': 'a',
    'inside.md': '-> a.md',
    'outside.md': `-> ${join(at.folder, 'secret/key.md')}`,
    folder: `-> ${join(at.folder, 'secret')}`,
    'back\\slash.md': 'x',
    'bell\u0007.md': 'x',
    'large.md': 'x'.repeat(1_001),
  });
  execFileSync('mkfifo', [join(at.root, 'pipe.md')]);
  writeFileSync(Buffer.concat([Buffer.from(`${at.root}/`), Buffer.from([0xff, 0xfe]), Buffer.from('.md')]), 'x');
  const limits = { max_file_bytes: 1_000, max_files: 100, max_bytes: 100_000 };
  const { skipped } = await at.list(directorySpec(at.root, { limits }));
  expect(await at.items()).toEqual(['a.md']);
  expect(skipped.link?.examples.toSorted()).toEqual(['folder', 'inside.md', 'outside.md']);
  expect(skipped).toMatchObject({
    link: { count: 3 },
    special_file: { count: 1, examples: ['pipe.md'] },
    path_not_plain: { count: 2 },
    name_not_utf8: { count: 1 },
    too_large: { count: 1, examples: ['large.md'] },
  });
});

test('W3 a folder that a link leads out of the allowed roots is refused, and so is one that was never in them', async () => {
  mkdirSync(join(at.folder, 'elsewhere'));
  writeFileSync(join(at.folder, 'elsewhere/a.md'), 'a');
  symlinkSync(join(at.folder, 'elsewhere'), join(at.root, 'inside'));
  for (const path of [join(at.folder, 'elsewhere'), join(at.root, 'inside'), '/etc', `${at.root}-not`]) {
    await expect(at.list(directorySpec(path))).rejects.toMatchObject({ type: 'SourceRefused' });
  }
});

test('W3 a folder that became a link between the listing and the staging is not followed', async () => {
  mkdirSync(join(at.folder, 'elsewhere'));
  writeFileSync(join(at.folder, 'elsewhere/a.md'), 'stolen');
  at.write({ 'sub/a.md': 'mine' });
  await at.list(directorySpec(at.root));
  const { wave_id } = await at.plan();
  rmSync(join(at.root, 'sub'), { recursive: true });
  symlinkSync(join(at.folder, 'elsewhere'), join(at.root, 'sub'));
  expect(await at.stage(directorySpec(at.root), wave_id)).toMatchObject({ staged: 0, missing: 1 });
  expect(await at.sql`select state, reason from wave_items where wave_id = ${wave_id}`).toEqual([
    { state: 'failed', reason: 'source_gone' },
  ]);
});

test('W6 a source that is gone, or has nothing that matches, is refused and never taken for deleted', async () => {
  at.write({ 'sub/a.md': 'a', 'sub/b.md': 'b' });
  const spec = directorySpec(join(at.root, 'sub'));
  await at.list(spec);
  renameSync(join(at.root, 'sub'), join(at.root, 'away'));
  await expect(at.list(spec)).rejects.toMatchObject({
    type: 'SourceGone',
    message: expect.stringContaining('is not there') as string,
  });
  mkdirSync(join(at.root, 'sub'));
  await expect(at.list(spec)).rejects.toMatchObject({ type: 'SourceEmpty' });
  await expect(at.list(directorySpec(at.root, { include: ['**/*.pdf'] }))).rejects.toMatchObject({
    type: 'SourceEmpty',
  });
  expect(await at.items()).toEqual(['a.md', 'b.md']);
});

test('W6 a listing that is broken off leaves the last one as it was, and nothing looks deleted', async () => {
  at.write(Object.fromEntries(Array.from({ length: 1_200 }, (_, n) => [`f${n}.md`, String(n)])));
  await at.list(directorySpec(at.root));
  at.write({ 'f0.md': 'changed' });
  rmSync(join(at.root, 'f1.md'));
  const abort = new AbortController();
  let seen = 0;
  const heartbeat = ({ items }: { items: number }) => {
    seen = items;
    if (items > 700) abort.abort();
  };
  const broken = at.sources.list(
    { project: at.project, spec: directorySpec(at.root) },
    { signal: abort.signal, heartbeat },
  );
  await expect(broken).rejects.toThrow(/abort/i);
  expect(seen).toBeGreaterThan(700);
  expect((await at.items()).length).toBe(1_200);
  const { counts } = await at.plan();
  expect(counts).toMatchObject({ added: 1_200, removed: 0 });
  await at.list(directorySpec(at.root));
  expect((await at.items()).length).toBe(1_199);
});

test('W6 a limit that is passed refuses the whole listing, before anything is read', async () => {
  at.write({ 'a.md': 'a', 'b.md': 'bb', 'c.md': 'ccc' });
  const limited = (limits: object) =>
    directorySpec(at.root, { limits: { max_file_bytes: 100, max_files: 100, max_bytes: 100, ...limits } });
  await expect(at.list(limited({ max_files: 2 }))).rejects.toMatchObject({ type: 'SourceTooLarge' });
  await expect(at.list(limited({ max_bytes: 5 }))).rejects.toMatchObject({ type: 'SourceTooLarge' });
  expect(await at.items()).toEqual([]);
  expect((await at.list(limited({ max_files: 3, max_bytes: 6 }))).items).toBe(3);
});

test('W6 what is unchanged is not read again; a change that keeps size and modification time is found', async () => {
  at.write({ 'a.md': 'one', 'b.md': 'two' });
  await settle();
  expect((await at.list(directorySpec(at.root))).read).toBe(2);
  expect((await at.list(directorySpec(at.root))).read).toBe(0);
  const before = await rows();
  const path = join(at.root, 'a.md');
  writeKeepingTimes(path, 'eno', statSync(path).mtime);
  expect((await at.list(directorySpec(at.root))).read).toBe(1);
  const after = await rows();
  expect(after[0]?.['sha256']).not.toBe(before[0]?.['sha256']);
  // The row of what did not change was not written again.
  expect(after[1]).toEqual(before[1]);
});

test('W3 a folder that is swapped for a link while it is listed gives away nothing of where that leads', async () => {
  mkdirSync(join(at.folder, 'secret'));
  writeFileSync(join(at.folder, 'secret/key.md'), 'key');
  // Whichever comes first, the other one is swapped.
  at.write({ 'one/a.md': 'a', 'two/b.md': 'b' });
  const spec = directorySpec(at.root);
  if (spec.kind !== 'directory') throw new Error('another kind of source');
  const reader = await openDirectory(spec, createAllowedRoots([at.root]));
  const skips = createSkipList();
  const paths: string[] = [];
  for await (const { path } of reader.list(skips, new AbortController().signal)) {
    paths.push(path);
    const other = path.startsWith('one/') ? 'two' : 'one';
    renameSync(join(at.root, other), join(at.folder, 'moved'));
    symlinkSync(join(at.folder, 'secret'), join(at.root, other));
  }
  expect(paths).toHaveLength(1);
  expect(paths[0]).toMatch(/^(one\/a|two\/b)\.md$/);
});
