import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';

/** In a release folder, but not of it. */
export const markerName = '.holdfast-release.json';

interface Entry {
  readonly path: string;
  readonly kind: 'folder' | 'file' | 'link' | 'other';
  readonly mode: number;
}

/**
 * One hash of everything in a folder that makes a difference to a program: names, contents, which files may be executed,
 * where links point. Owners and times do not.
 */
export async function folderDigest(folder: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const entry of await entriesOf(folder)) {
    signal?.throwIfAborted();
    hash.update(`${JSON.stringify([entry.path, ...(await facts(folder, entry))])}\n`);
  }
  return `sha256:${hash.digest('hex')}`;
}

export async function makeReadOnly(folder: string): Promise<void> {
  for (const entry of await entriesOf(folder)) {
    if (entry.kind !== 'link') await chmod(join(folder, entry.path), entry.mode & 0o555);
  }
  await chmod(folder, 0o555);
}

/** A folder that is read-only cannot be emptied but by root. */
export async function makeFoldersWritable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeFoldersWritable(join(folder, entry.name));
  }
}

async function facts(folder: string, { path, kind, mode }: Entry): Promise<readonly unknown[]> {
  const full = join(folder, path);
  if (kind === 'file') return [kind, (mode & 0o100) !== 0, await contentHash(full)];
  if (kind === 'link') return [kind, await readlink(full)];
  if (kind === 'folder') return [kind];
  throw new PermanentFailure('BuildFailed', `${path} is neither a file nor a folder nor a link`);
}

/** Sorted by path, by code unit: the same on every machine. */
async function entriesOf(folder: string, within = ''): Promise<Entry[]> {
  const names = (await readdir(join(folder, within))).sort();
  const entries: Entry[] = [];
  for (const name of names) {
    const path = join(within, name);
    if (path === markerName) continue;
    const stats = await lstat(join(folder, path));
    const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : stats.isSymbolicLink() ? 'link' : 'other';
    entries.push({ path, kind, mode: stats.mode });
    if (kind === 'folder') entries.push(...(await entriesOf(folder, path)));
  }
  return entries;
}

async function contentHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
