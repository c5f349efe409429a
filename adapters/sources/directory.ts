import type { BigIntStats, Dir } from 'node:fs';
import { constants } from 'node:fs';
import { lstat, open, opendir, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SkipList, SourceItem } from '../../domain/source/item.ts';
import { pathObstacle } from '../../domain/source/path.ts';
import type { DirectorySource } from '../../domain/project/source.ts';
import type { AllowedRoots } from '../files/allowed-roots.ts';
import { allowedFolder } from './allowed-folder.ts';
import type { SourceReader } from './reader.ts';
import { createWanted, type Wanted } from './wanted.ts';

/** Young change times are not trusted: a file may change again within the tick of the clock that stamped it. */
const settledMs = 2_000;

/** A folder of this box, without following any link. Throws SourceGone and SourceRefused. */
export async function openDirectory(spec: DirectorySource, allowed: AllowedRoots): Promise<SourceReader> {
  const root = await allowedFolder(spec.path, allowed);
  const wanted = createWanted(spec);
  return {
    ...{ revision: null, kept: 'when_staged', parallel: 8, mayBeEmpty: false },
    list: (skips, signal) => walk({ root, wanted, mostBytes: spec.limits.max_file_bytes, skips, signal }),

    async open({ path }) {
      const handle = await openInside(root, path);
      if (handle === null) return null;
      const before = await handle.stat({ bigint: true });
      const read = async () => {
        const after = await lstatOrNull(join(root, path));
        const same = after !== null && versionOf(after) === versionOf(before);
        const version = same ? versionOf(after) : null;
        return { version, modifiedAt: before.mtime, mediaType: null };
      };
      return { content: handle.createReadStream({ highWaterMark: 262_144 }), read };
    },
    close: () => Promise.resolve(),
  };
}

interface Walk {
  readonly root: string;
  readonly wanted: Wanted;
  readonly mostBytes: number;
  readonly skips: SkipList;
  readonly signal: AbortSignal;
}

/** Folder by folder. A folder that goes away meanwhile is gone; one that cannot be read is an error, and so is the root. */
async function* walk({ root, wanted, mostBytes, skips, signal }: Walk): AsyncGenerator<SourceItem> {
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const at = folder;
    const entries = await openFolder(root, at);
    for await (const entry of entries ?? []) {
      signal.throwIfAborted();
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      // A folder is wanted or not before its name is looked at: nobody minds what lies in an excluded one.
      const mayLeadToFiles = entry.isDirectory() || entry.isSymbolicLink();
      if (mayLeadToFiles ? !wanted.folder(path) : !wanted.file(path)) continue;
      const obstacle = entry.name.includes('\uFFFD') ? 'name_not_utf8' : pathObstacle(path) && 'path_not_plain';
      if (obstacle) skips.add(obstacle, path);
      else if (entry.isDirectory()) folders.push(path);
      else {
        const item = await look(root, path, mostBytes, skips);
        if (item !== null) yield item;
      }
    }
  }
}

/** null: it went away meanwhile, or is a link by now, which nobody follows. */
async function openFolder(root: string, at: string): Promise<Dir | null> {
  const full = join(root, at);
  try {
    const entries = await opendir(full, { bufferSize: 128 });
    if (at === '' || (await realpath(full)) === full) return entries;
    await entries.close();
    return null;
  } catch (error) {
    if (at !== '' && isGone(error)) return null;
    throw error;
  }
}

async function look(root: string, path: string, mostBytes: number, skips: SkipList): Promise<SourceItem | null> {
  const stats = await lstatOrNull(join(root, path));
  if (stats === null) return null;
  if (!stats.isFile()) skips.add(stats.isSymbolicLink() ? 'link' : 'special_file', path);
  else if (stats.size > mostBytes) skips.add('too_large', path);
  else {
    const uri = pathToFileURL(join(root, path)).href;
    return { path, bytes: Number(stats.size), modifiedAt: stats.mtime, uri, version: versionOf(stats) };
  }
  return null;
}

/** The change time is set by the kernel: no program that keeps the modification time of what it writes gets around it. */
function versionOf({ dev, ino, size, ctimeNs, ctimeMs }: BigIntStats): string | null {
  return Date.now() - Number(ctimeMs) < settledMs ? null : [dev, ino, size, ctimeNs].join(':');
}

/**
 * Opens a file so that no link leads out of the root, also when somebody swaps a folder for a link while it is done: what
 * was opened is what stands at the real path. null: it is gone, or no longer a file.
 */
async function openInside(root: string, path: string): Promise<FileHandle | null> {
  const full = join(root, path);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(full, flags).catch((error: unknown) => {
    if (isGone(error) || (error as NodeJS.ErrnoException).code === 'ELOOP') return null;
    throw error;
  });
  if (handle === null) return null;
  const [opened, real, there] = await Promise.all([
    handle.stat({ bigint: true }),
    realpath(full).catch(() => null),
    lstatOrNull(full),
  ]);
  if (opened.isFile() && real === full && there?.ino === opened.ino && there.dev === opened.dev) return handle;
  await handle.close();
  return null;
}

async function lstatOrNull(path: string): Promise<BigIntStats | null> {
  return lstat(path, { bigint: true }).catch((error: unknown) => {
    if (isGone(error)) return null;
    throw error;
  });
}

/** ENOTDIR: a folder on the way was replaced by a file. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
