import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceSpec } from '../../../domain/project/source.ts';
import { makeRepository, type TestRepository } from '../../support/git-repository.ts';
import { openData, startSourceProject, type SourceProject } from './source-project.ts';

let data: Awaited<ReturnType<typeof openData>>;
let at: SourceProject;
let repository: TestRepository;
beforeAll(async () => (data = await openData()));
afterAll(() => data.close());
beforeEach(async () => {
  at = await startSourceProject(data.sql);
  repository = makeRepository(join(at.root, 'repository'));
});
afterEach(() => at.close());

const limits = { max_file_bytes: 1_000_000, max_files: 10_000, max_bytes: 100_000_000 };
const spec = (more: object = {}): SourceSpec => ({
  kind: 'git',
  name: 'notes',
  url: repository.path,
  ref: 'main',
  include: ['**'],
  exclude: [],
  limits,
  ...more,
});

const staged = async (path: string): Promise<string> => {
  const [row] = await at.sql<{ sha256: string }[]>`
    select encode(sha256, 'hex') as sha256 from staged_items where project = ${at.project} and path = ${path}`;
  return (await at.sources.contents.read(row?.sha256 ?? '')).toString();
};

test('W3 the files of a ref, as they were committed, without links and submodules; the revision is its commit', async () => {
  const inner = makeRepository(join(at.root, 'inner'));
  inner.commit({ 'x.md': 'x' });
  repository.commit({
    'a.md': 'one\n',
    'docs/b ä\t.md': 'two',
    'docs/b ä.md': 'two',
    'link.md': '-> a.md',
    '.gitattributes': '*.md text eol=crlf',
  });
  repository.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner.path, 'sub');
  const commit = repository.commit({});
  const listing = await at.list(spec());
  expect(await at.items()).toEqual(['a.md', 'docs/b ä.md']);
  expect(listing).toMatchObject({ revision: commit, items: 2, read: 2 });
  expect(listing.skipped).toEqual({
    link: { count: 1, examples: ['link.md'] },
    submodule: { count: 1, examples: ['sub'] },
    path_not_plain: { count: 1, examples: ['docs/b ä\t.md'] },
  });
  const { wave_id } = await at.plan();
  expect(await at.stage(spec(), wave_id)).toMatchObject({ staged: 2, copied: 2, changed: 0, missing: 0 });
  expect([await staged('a.md'), await staged('docs/b ä.md')]).toEqual(['one\n', 'two']);
});

test('W6 a push is what it changed: nothing else is read again, and a rename is a move', async () => {
  repository.commit(Object.fromEntries(Array.from({ length: 700 }, (_, n) => [`d/f${n}.md`, `file ${n}`])));
  expect(await at.wave(spec())).toMatchObject({ added: 700 });
  repository.git('mv', 'd/f1.md', 'moved.md');
  repository.git('rm', '--quiet', 'd/f2.md');
  repository.commit({ 'd/f3.md': 'other' });
  const listing = await at.list(spec());
  expect(listing).toMatchObject({ items: 699, read: 2 });
  expect(await at.wave(spec())).toMatchObject({ added: 0, changed: 1, moved: 1, removed: 1, unchanged: 697 });
});

test('W3 what was listed is staged, also when the repository was pushed to meanwhile', async () => {
  repository.commit({ 'a.md': 'listed' });
  await at.list(spec());
  const { wave_id } = await at.plan();
  repository.commit({ 'a.md': 'pushed later' });
  expect(await at.stage(spec(), wave_id)).toMatchObject({ copied: 1, changed: 0 });
  expect(await staged('a.md')).toBe('listed');
});

test('W3 a blob of several megabytes, an empty one, and one after the other broke off', async () => {
  const large = 'x'.repeat(3_000_000);
  repository.commit({ 'a-large.md': large, 'b-empty.md': '', 'c.md': 'c' });
  const wide = spec({ limits: { ...limits, max_file_bytes: 5_000_000 } });
  await at.list(wide);
  const { wave_id } = await at.plan();
  // The limit fell since it was listed: what was begun is broken off, and the next file comes whole.
  expect(await at.stage(spec(), wave_id)).toMatchObject({ staged: 2, missing: 1 });
  expect(await staged('c.md')).toBe('c');
  expect(await at.stage(wide, wave_id)).toMatchObject({ staged: 3, copied: 1, missing: 0 });
  expect((await staged('a-large.md')).length).toBe(3_000_000);
});

test('W3 an unknown ref, a repository that is gone and one outside the roots are refused, and nothing looks deleted', async () => {
  repository.commit({ 'a.md': 'a' });
  await at.list(spec());
  await expect(at.list(spec({ ref: 'nowhere' }))).rejects.toMatchObject({
    type: 'RefUnknown',
    message: expect.stringContaining('notes') as string,
  });
  const outside = makeRepository(join(at.folder, 'outside'));
  outside.commit({ 'a.md': 'a' });
  await expect(at.list(spec({ url: outside.path }))).rejects.toMatchObject({ type: 'SourceRefused' });
  await expect(at.list(spec({ url: `file://${outside.path}` }))).rejects.toMatchObject({ type: 'SourceRefused' });
  rmSync(repository.path, { recursive: true });
  await expect(at.list(spec())).rejects.toMatchObject({ type: 'SourceGone' });
  mkdirSync(repository.path);
  await expect(at.list(spec())).rejects.toMatchObject({ type: 'SourceUnreachable' });
  expect(await at.items()).toEqual(['a.md']);
});
