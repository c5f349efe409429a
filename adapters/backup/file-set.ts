import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readlink, lstat, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import pLimit from 'p-limit';
import picomatch from 'picomatch';
import type { Stats } from 'node:fs';
import { lostAndFound, workFolderPattern } from '../../domain/restore/replacement.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { openRegular } from '../files/open-regular.ts';
import { isMountPoint } from '../files/mounts.ts';
import { backUpSqlite, companionOf, isSqlite } from './sqlite.ts';
import { tarOf, type TarEntry } from './tar-pack.ts';
import { isWithin } from './way.ts';

/** A declared set of files: staged inputs, the data of a service, a folder that is mounted. */
export interface FileSet {
  /** Also that of its member: `files-<name>`. */
  readonly name: string;
  /** null: Holdfast's own. */
  readonly service: string | null;
  /** Absolute. */
  readonly root: string;
  /** Globs of paths under root. */
  readonly exclude: readonly string[];
}

/** Counted while it was packed. */
export interface PackedFiles {
  files: number;
  bytes: number;
  readonly sqlite: string[];
}

interface Found {
  /** Under root. */
  readonly path: string;
  readonly stats: Stats;
}

/** Up to here a file is read at once, so that it is of one moment; and as many of those are read ahead. */
const smallBytes = 1024 * 1024;
const ahead = 8;

/**
 * A set as a tar, in a fixed order. Databases of SQLite are copied by its online backup, into `work` for as long as they are
 * packed, and what stands beside them is left out; sockets and pipes hold nothing. Its error is PermanentFailure
 * `FileSetRefused` for a set that is not there, a link that leads out of it, or a damaged database.
 */
export function packFileSet(
  { root, exclude }: FileSet,
  work: string,
  signal: AbortSignal,
): { readonly tar: Readable; readonly packed: PackedFiles } {
  const packed: PackedFiles = { files: 0, bytes: 0, sqlite: [] };
  return { tar: tarOf(entries(root, exclude, { work, signal, packed })), packed };
}

/** What is wanted of a set, as it is now; none where there is no such folder. */
export async function bytesOfSet({ root, exclude }: Pick<FileSet, 'root' | 'exclude'>): Promise<number> {
  let total = 0;
  if ((await lstat(root).catch(unlessMissing)) === null) return total;
  for await (const { stats } of walk(root, '', await excluding(root, exclude))) if (stats.isFile()) total += stats.size;
  return total;
}

async function excluding(root: string, exclude: readonly string[]): Promise<(path: string) => boolean> {
  const ofFileSystem = (await isMountPoint(root)) ? lostAndFound : null;
  const isUnwanted = exclude.length === 0 ? () => false : picomatch([...exclude], { dot: true });
  // What a restore keeps there, for as long as it is held, is no content, nor is what the file system keeps at its top.
  return (path) => path === ofFileSystem || workFolderPattern.test(path) || isUnwanted(path);
}

interface Packing {
  readonly work: string;
  readonly signal: AbortSignal;
  readonly packed: PackedFiles;
}

async function* entries(root: string, exclude: readonly string[], packing: Packing): AsyncGenerator<TarEntry> {
  const top = await lstat(root).catch(() => null);
  if (top?.isDirectory() !== true) refuse(`${root} is no folder`);
  const isExcluded = await excluding(root, exclude);
  const turns = pLimit(ahead);
  const waiting: Promise<Read>[] = [];
  const next = async function* (least: number): AsyncGenerator<TarEntry> {
    while (waiting.length > least) yield* packedEntry(root, await (waiting.shift() as Promise<Read>), packing);
  };
  try {
    for await (const found of walk(root, '', isExcluded)) {
      packing.signal.throwIfAborted();
      const read = turns(() => readFound(root, found));
      // Its error is that of the turn in which it is packed.
      read.catch(() => undefined);
      waiting.push(read);
      yield* next(ahead);
    }
    yield* next(0);
  } finally {
    for (const { content } of await settledReads(waiting)) await closeUnread(content);
  }
}

/** Those that were read ahead of an end that came too early. */
async function settledReads(waiting: readonly Promise<Read>[]): Promise<Read[]> {
  const settled = await Promise.allSettled(waiting);
  return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

async function* walk(root: string, folder: string, isExcluded: (path: string) => boolean): AsyncGenerator<Found> {
  // A folder may go as a file may, while others work there; not the set itself.
  const names = await readdir(join(root, folder)).catch((error: unknown) => {
    if (folder === '') throw error;
    return unlessMissing(error);
  });
  for (const name of (names ?? []).sort()) {
    const path = folder === '' ? name : `${folder}/${name}`;
    if (isExcluded(path)) continue;
    const stats = await lstat(join(root, path)).catch(unlessMissing);
    if (stats === null) continue;
    yield { path, stats };
    if (stats.isDirectory()) yield* walk(root, path, isExcluded);
  }
}

/** `content` null: nothing to pack, because it is gone by now or holds nothing. */
type Read = Found & { readonly content: Buffer | FileHandle | string | null };

async function readFound(root: string, { path, stats }: Found): Promise<Read> {
  if (stats.isSymbolicLink()) return { path, stats, content: await linkInside(root, path) };
  if (!stats.isFile()) return { path, stats, content: null };
  const file = await openRegular(join(root, path)).catch(unlessMissing);
  // Something else has its name by now: it is what is there.
  const now = file === 'other' ? await lstat(join(root, path)).catch(unlessMissing) : null;
  if (now !== null) return readFound(root, { path, stats: now });
  if (file === null || file === 'other') return { path, stats, content: null };
  try {
    const now = await file.stat();
    if (now.size > smallBytes) return { path, stats: now, content: file };
    const content = await file.readFile();
    await file.close();
    return { path, stats: now, content };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function* packedEntry(root: string, read: Read, packing: Packing): AsyncGenerator<TarEntry> {
  const { path, stats, content } = read;
  const header = { name: path, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, mtime: stats.mtime };
  const { packed } = packing;
  if (stats.isDirectory()) yield { header: { ...header, name: `${path}/`, type: 'directory' }, content: null };
  else if (typeof content === 'string')
    yield { header: { ...header, type: 'symlink', linkname: content }, content: null };
  if (content === null || typeof content === 'string' || isCompanion(path, packed)) return closeUnread(content);
  const start = Buffer.isBuffer(content)
    ? content
    : (await content.read({ buffer: Buffer.alloc(16), position: 0 })).buffer;
  if (isSqlite(start)) {
    await closeUnread(content);
    yield* sqliteEntry(join(root, path), header, packing);
    packed.sqlite.push(path);
    return;
  }
  const size = Buffer.isBuffer(content) ? content.length : stats.size;
  // A file that grows is packed as long as it was; one that gets shorter is another one, and ends the tar with an error.
  const bytes = Buffer.isBuffer(content) ? content : content.createReadStream({ start: 0, end: size - 1 });
  yield { header: { ...header, type: 'file', size }, content: bytes };
  packed.files += 1;
  packed.bytes += size;
}

async function* sqliteEntry(source: string, header: TarEntry['header'], packing: Packing): AsyncGenerator<TarEntry> {
  const { work, signal, packed } = packing;
  const folder = await mkdtemp(join(work, 'sqlite-'));
  try {
    const copy = join(folder, 'copy.db');
    await backUpSqlite(source, copy, signal);
    const { size } = await lstat(copy);
    yield { header: { ...header, type: 'file', size }, content: createReadStream(copy) };
    packed.files += 1;
    packed.bytes += size;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function isCompanion(path: string, { sqlite }: PackedFiles): boolean {
  const database = companionOf(path);
  return database !== null && sqlite.includes(database);
}

async function closeUnread(content: Read['content']): Promise<void> {
  if (content !== null && typeof content === 'object' && !Buffer.isBuffer(content)) await content.close();
}

/** Where it leads, as it is written. Throws when that is outside: restored, it would be another file of another machine. */
async function linkInside(root: string, path: string): Promise<string> {
  const target = await readlink(join(root, path));
  const reached = resolve('/', dirname(path), target);
  const climbs = !target.startsWith('/') && !isWithin(dirname(path), target);
  if (target.startsWith('/') || climbs)
    refuse(`${join(root, path)} leads out of its set, to ${reached}: exclude it from the set`);
  return target;
}

function unlessMissing(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
  throw error;
}

function refuse(message: string): never {
  throw new PermanentFailure('FileSetRefused', message);
}
