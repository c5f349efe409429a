import { readlinkSync } from 'node:fs';
import { mkdtemp, open, readdir, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { createContentStore, type ContentStore } from '../../../adapters/staging/content-store.ts';
import { removeTree } from '../../support/remove-tree.ts';

let home: string;
let contents: ContentStore;
let synced: string[];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-contents-'));
  contents = createContentStore(home);
  synced = [];
  const handle = await open(home);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called on the handle that it was called on
  const { sync } = prototype;
  jest.spyOn(prototype, 'sync').mockImplementation(function (this: FileHandle) {
    synced.push(readlinkSync(`/proc/self/fd/${this.fd}`));
    return sync.call(this);
  });
});
afterEach(() => {
  jest.restoreAllMocks();
  removeTree(home);
});

const of = (text: string): Readable => Readable.from([Buffer.from(text)]);
const left = async (): Promise<readonly string[]> => readdir(join(contents.root, 'partial'));

test('W2 what a page names is on the disk at its end: each file, and then each folder once', async () => {
  const texts = Array.from({ length: 300 }, (_, at) => `document ${at}`);
  const stored = await contents.page((put) => Promise.all(texts.map((text) => put(of(text), 1_000))));
  const folders = new Set(stored.map((one) => dirname(contents.pathOf(one?.sha256 ?? ''))));
  expect(synced.filter((path) => basename(dirname(path)) === 'partial')).toHaveLength(texts.length);
  const last = synced.slice(-folders.size);
  expect(new Set(last)).toEqual(folders);
  expect(synced.filter((path) => folders.has(path))).toHaveLength(folders.size);
  expect(await left()).toEqual([]);
});

test('W2 what is not at its end yet is synced before another page is told that it is there', async () => {
  const { sha256 } = (await contents.put(of('a'), 10)) ?? { sha256: '' };
  const folder = dirname(contents.pathOf(sha256));
  await contents.page(async (put) => {
    await put(of('a'), 10);
    synced = [];
    expect(await contents.has(sha256)).toBe(true);
    expect(synced).toEqual([folder]);
  });
  synced = [];
  expect(await contents.has(sha256)).toBe(true);
  expect(synced).toEqual([]);
});

test('W2 a page that fails keeps what it had named; what is too long, or breaks off, leaves nothing', async () => {
  const broken = Readable.from(
    (function* () {
      yield Buffer.from('half');
      throw new Error('the disk is away');
    })(),
  );
  let named = '';
  const page = contents.page(async (put) => {
    named = (await put(of('whole'), 10))?.sha256 ?? '';
    expect(await put(of('too long'), 3)).toBeNull();
    await put(broken, 10);
  });
  await expect(page).rejects.toThrow('the disk is away');
  expect((await contents.read(named)).toString()).toBe('whole');
  expect(synced.at(-1)).toBe(dirname(contents.pathOf(named)));
  expect(await left()).toEqual([]);
});

test('W2 equal content is there once, also when it comes twice at the same time', async () => {
  const both = await contents.page((put) => Promise.all([put(of('same'), 10), put(of('same'), 10)]));
  expect(both[0]).toEqual(both[1]);
  const entries: string[] = [];
  for await (const { sha256 } of contents.entries()) entries.push(sha256);
  expect(entries).toEqual([both[0]?.sha256]);
});
