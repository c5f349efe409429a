import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import type { UploadStore } from '../../../adapters/postgres/uploads.ts';
import { createContentStore, type ContentStore } from '../../../adapters/staging/content-store.ts';
import { createReceiveUpload } from '../../../adapters/staging/receive-upload.ts';
import type { UploadSource } from '../../../domain/project/source.ts';
import type { ArchiveKind } from '../../../domain/source/upload.ts';
import { zipOf, type ZipEntry } from './zip-of.ts';

let folder: string;
let contents: ContentStore;
let put: { path: string; sha256: string }[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-archives-'));
  contents = createContentStore(folder);
  put = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const limits = { max_file_bytes: 20_000_000, max_files: 50, max_bytes: 30_000_000 };
const spec = (more: object = {}): UploadSource => ({
  kind: 'upload',
  name: 'notes',
  include: ['**'],
  exclude: [],
  limits,
  ...more,
});

/** Rows have tests of their own (tests/api/sources.test.ts); here only what they would be counts. */
const uploads: Pick<UploadStore, 'put'> = { put: async (_whose, files) => (put.push(...files), true) };

async function unpack(kind: ArchiveKind, bytes: Buffer, more: { spec?: UploadSource; path?: string } = {}) {
  const receive = createReceiveUpload({ uploads, contents, box: 'testbox', freeBytes: async () => 1e12 });
  const wish = { project: 'p1', actor: 'ann', unpack: kind, path: more.path, spec: more.spec ?? spec() };
  return receive(wish, Readable.from(inPieces(bytes), { objectMode: false }));
}

function* inPieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 60_000) yield bytes.subarray(at, at + 60_000);
}

async function tarOf(
  entries: readonly (Partial<Header> & Pick<Header, 'name'> & { content?: string | Buffer })[],
): Promise<Buffer> {
  const packer = pack();
  for (const { content, ...header } of entries) packer.entry(header, content ?? '');
  packer.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of packer as unknown as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const text = async (path: string) =>
  (await contents.read(put.find((one) => one.path === path)?.sha256 ?? '')).toString();

async function expectRefused(kind: ArchiveKind, bytes: Buffer, why: RegExp): Promise<void> {
  await expect(unpack(kind, bytes)).rejects.toMatchObject({
    kind: 'archive',
    message: expect.stringMatching(why) as string,
  });
  expect(put).toEqual([]);
  expect(readdirSync(contents.root).filter((name) => name.startsWith('archive-'))).toEqual([]);
}

test('W3 what tar and its packer make is unpacked, what the globs leave out is counted', async () => {
  mkdirSync(join(folder, 'in/docs/deep'), { recursive: true });
  const long = `docs/${'long-'.repeat(30)}name.md`;
  for (const name of ['a.md', 'docs/deep/ä.md', 'skip.bin', long])
    writeFileSync(join(folder, 'in', name), `content of ${name}`);
  for (const [kind, flag] of [
    ['tar', '-cf'],
    ['tar.gz', '-czf'],
  ] as const) {
    put = [];
    execFileSync('tar', [flag, join(folder, 'a.tar'), '-C', join(folder, 'in'), '.']);
    const bytes = execFileSync('cat', [join(folder, 'a.tar')], { maxBuffer: 1e8 });
    const received = await unpack(kind, bytes, { spec: spec({ include: ['**/*.md'] }) });
    expect(received).toMatchObject({ files: 3, left_out: 1 });
    expect(put.map(({ path }) => path).sort()).toEqual(['a.md', 'docs/deep/ä.md', long]);
    expect(await text('docs/deep/ä.md')).toBe('content of docs/deep/ä.md');
  }
});

test('W3 a zip, into a folder of the source', async () => {
  const bytes = zipOf([
    { name: 'docs/' },
    { name: 'docs/a.md', content: 'a' },
    { name: 'b.md', content: 'bb', stored: true },
  ]);
  expect(await unpack('zip', bytes, { path: 'from/zip' })).toEqual({ files: 2, bytes: 3, left_out: 0 });
  expect(put.map(({ path }) => path)).toEqual(['from/zip/docs/a.md', 'from/zip/b.md']);
  expect(await text('from/zip/b.md')).toBe('bb');
});

const names: readonly (readonly [string, RegExp])[] = [
  ['../evil.md', /leads out|relative path/],
  ['a/../../evil.md', /leads out|relative path/],
  ['/etc/evil.md', /absolute/],
  ['C:/evil.md', /absolute/],
  ['a\\..\\evil.md', /characters|invalid/],
  ['a//b.md', /empty/],
  ['a/./b.md', /leads out|relative path/],
];

test.each(names)('W3 an archive with the name %s is refused, and nothing of it kept', async (name, why) => {
  await expectRefused(
    'zip',
    zipOf([
      { name: 'good.md', content: 'g' },
      { name, content: 'x' },
    ]),
    why,
  );
  await expectRefused(
    'tar',
    await tarOf([
      { name: 'good.md', content: 'g' },
      { name, content: 'x' },
    ]),
    why,
  );
  expect(existsSync(join(folder, 'evil.md'))).toBe(false);
});

test('W3 links and special files are refused, and so are names that some file system takes for one', async () => {
  await expectRefused('tar', await tarOf([{ name: 'l', type: 'symlink', linkname: '/etc/passwd' }]), /link/);
  await expectRefused(
    'tar',
    await tarOf([
      { name: 'a', content: 'a' },
      { name: 'l', type: 'link', linkname: 'a' },
    ]),
    /link/,
  );
  await expectRefused('tar', await tarOf([{ name: 'f', type: 'fifo' }]), /special file/);
  await expectRefused('zip', zipOf([{ name: 'l', content: '/etc/passwd', mode: 0o120777 }]), /symbolic link/);
  await expectRefused('zip', zipOf([{ name: 'l', content: 'x', encrypted: true }]), /password/);
  const twins: readonly (readonly [string, string])[] = [
    ['a.md', 'a.md'],
    ['A.md', 'a.MD'],
    ['\u00e4.md', 'a\u0308.md'],
    ['ß', 'SS'],
  ];
  for (const [one, other] of twins) {
    await expectRefused(
      'zip',
      zipOf([
        { name: one, content: '1' },
        { name: other, content: '2' },
      ]),
      /twice/,
    );
    await expectRefused(
      'tar',
      await tarOf([
        { name: one, content: '1' },
        { name: other, content: '2' },
      ]),
      /twice/,
    );
  }
});

test('W3 bombs: too much, too many, too large, too tightly packed', async () => {
  const zeros = Buffer.alloc(19_000_000);
  await expectRefused('zip', zipOf([{ name: 'a', content: zeros }]), /200 times/);
  await expectRefused('tar.gz', gzipSync(await tarOf([{ name: 'a', content: zeros }])), /200 times/);
  await expectRefused('tar.gz', gzipSync(zeros), /200 times|no whole tar/);
  const noise = Buffer.from(Array.from({ length: 100_000 }, (_, n) => (n * 2_654_435_761) >>> 24));
  const large = Buffer.concat(Array.from({ length: 160 }, () => noise));
  const halved = Buffer.from(large.subarray(0, 8_000_000).toString('hex'));
  await expectRefused(
    'zip',
    zipOf([
      { name: 'a', content: halved },
      { name: 'b', content: halved },
    ]),
    /more than 30/,
  );
  await expectRefused(
    'zip',
    zipOf([{ name: 'a', content: Buffer.concat([large, large.subarray(0, 5_000_000)]), stored: true }]),
    /larger than/,
  );
  const many = Array.from({ length: 51 }, (_, n): ZipEntry => ({ name: `f${n}`, content: 'x' }));
  await expectRefused('zip', zipOf(many), /more than 50 files/);
  await expectRefused('tar', await tarOf(many.map(({ name }) => ({ name, content: 'x' }))), /more than 50 files/);
});

test('W3 what is no archive, or ends early, or says another size than it has', async () => {
  const zip = zipOf([{ name: 'a.md', content: 'x'.repeat(5_000) }]);
  const tar = await tarOf([{ name: 'a.md', content: 'x'.repeat(5_000) }]);
  await expectRefused('zip', Buffer.from('PK no zip'), /no whole zip/);
  await expectRefused('zip', zip.subarray(0, -30), /no whole zip/);
  await expectRefused('zip', zipOf([{ name: 'a.md', content: 'x'.repeat(5_000), claims: 10 }]), /no whole zip/);
  await expectRefused('tar', Buffer.alloc(600, 7), /no whole tar/);
  await expectRefused('tar', tar.subarray(0, 2_000), /no whole tar/);
  await expectRefused('tar.gz', gzipSync(tar).subarray(0, -10), /no whole tar/);
  await expectRefused('tar.gz', tar, /no whole tar/);
});

test("W3 a link in the place of the store is none of the archive's business: every file is found by its content", async () => {
  symlinkSync('/etc', join(folder, 'trap'));
  await unpack('tar', await tarOf([{ name: 'trap/passwd', content: 'mine' }]));
  expect(await text('trap/passwd')).toBe('mine');
});
