import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { bootId, identityOf, isAlive } from '../../adapters/process/identity.ts';

// A folder beside the one that it will be or fill, with the process that works in it in its name: two at once never meet, and
// what a killed one left is known as such.

const pattern = /\.partial-(\d+)-(\d+)-[0-9a-f]{8}$/;

/** A new, empty one for `path`, after removing those whose process is gone. */
export async function createWorkingFolder(path: string): Promise<string> {
  await removeAbandoned(path);
  const folder = workingName(path);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** One that nobody works in any more, if there is one, taken over as it is; else a new one. */
export async function continueWorkingFolder(
  path: string,
  best: (folders: readonly string[]) => Promise<readonly string[]>,
): Promise<string> {
  const folder = workingName(path);
  for (const left of await best(await abandonedFolders(path))) {
    // Only one of those that try at once can rename it.
    if (await isRenamed(left, folder)) return folder;
  }
  await mkdir(folder, { recursive: true });
  return folder;
}

/** For whoever tries next, this process or another one. */
export async function leaveWorkingFolder(folder: string): Promise<void> {
  await rename(folder, `${folder.replace(pattern, '')}.partial-0-0-${tag()}`);
}

export async function removeAbandoned(path: string): Promise<void> {
  // What a killed one had started may be at work in it still: then it goes the next time.
  const patiently = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 };
  for (const left of await abandonedFolders(path)) await rm(left, patiently).catch(() => undefined);
}

async function abandonedFolders(path: string): Promise<string[]> {
  const names = await readdir(dirname(path)).catch(() => []);
  const start = `${basename(path)}.partial-`;
  return names.filter((name) => name.startsWith(start) && isAbandoned(name)).map((name) => join(dirname(path), name));
}

function isAbandoned(name: string): boolean {
  const [, pid, startTime] = pattern.exec(name) ?? [];
  if (pid === undefined) return false;
  return pid === '0' || !isAlive({ pid: Number(pid), start_time: Number(startTime), boot_id: bootId() });
}

/** Of this process, and nobody's else. */
export function workingName(path: string): string {
  return `${path}.partial-${process.pid}-${identityOf(process.pid)?.start_time ?? 0}-${tag()}`;
}

function tag(): string {
  return randomBytes(4).toString('hex');
}

async function isRenamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
