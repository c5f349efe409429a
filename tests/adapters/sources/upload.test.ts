import { rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createUploadStore, type UploadStore } from '../../../adapters/postgres/uploads.ts';
import type { SourceSpec } from '../../../domain/project/source.ts';
import { openData, startSourceProject, type SourceProject } from './source-project.ts';

let data: Awaited<ReturnType<typeof openData>>;
let at: SourceProject;
let uploads: UploadStore;
beforeAll(async () => (data = await openData()));
afterAll(() => data.close());
beforeEach(async () => {
  at = await startSourceProject(data.sql);
  uploads = createUploadStore(at.sql);
});
afterEach(() => at.close());

const limits = { max_file_bytes: 1_000, max_files: 3_000, max_bytes: 1_000_000 };
const spec = { kind: 'upload', name: 'notes', include: ['**'], exclude: [], limits } as SourceSpec;

async function put(files: Readonly<Record<string, string>>, box = 'testbox'): Promise<boolean> {
  const stored = [];
  for (const [path, content] of Object.entries(files)) {
    const kept = await at.sources.contents.put(Readable.from([Buffer.from(content)]), 1_000);
    if (kept !== null) stored.push({ path, ...kept });
  }
  return uploads.put({ project: at.project, source: 'notes', box, actor: 'ann' }, stored, limits);
}

test('W6 what was uploaded is the truth: a wave, a change, a removal, and an emptied source is an empty one', async () => {
  await put({ 'a.md': 'A', 'b.md': 'B', '.c.md': 'hidden' });
  expect(await at.wave(spec)).toMatchObject({ added: 2 });
  expect(await at.wave(spec)).toMatchObject({ added: 0, changed: 0, unchanged: 2 });
  await put({ 'a.md': 'A2' });
  await uploads.remove(at.project, 'notes', 'b.md', 'ann');
  expect(await at.wave(spec)).toMatchObject({ changed: 1, removed: 1 });
  await uploads.remove(at.project, 'notes', 'a.md', 'ann');
  expect(await at.wave(spec)).toMatchObject({ removed: 1, unchanged: 0 });
});

test('W6 bytes that went from the store, and those of another box, are an error and no deletion', async () => {
  await put({ 'a.md': 'A' });
  await at.list(spec);
  await put({ 'a.md': 'A2', 'b.md': 'B' });
  rmSync(at.sources.contents.root, { recursive: true });
  await expect(at.list(spec)).rejects.toMatchObject({
    type: 'SourceGone',
    message: expect.stringContaining('Upload it again') as string,
  });
  await put({ 'b.md': 'B' }, 'other');
  await put({ 'a.md': 'A2' });
  await expect(at.list(spec)).rejects.toMatchObject({
    type: 'SourceGone',
    message: expect.stringContaining('box other') as string,
  });
  expect(await at.items()).toEqual(['a.md']);
});

test('W3 more pages of uploads than one', async () => {
  await put(Object.fromEntries(Array.from({ length: 2_500 }, (_, n) => [`f${n}.md`, 'same'])));
  expect(await at.list(spec)).toMatchObject({ items: 2_500 });
});
