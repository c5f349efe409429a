import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sha256Of } from './release-checksum.ts';
import { createWorkingFolder, workingName } from '../working-folder.ts';

// What was built or downloaded, with its sha256 beside it: it is used only as it was when it was put there.

/**
 * Where the file came from, for people; null when it is not there, or half, or another one than was put there. `known`: the only
 * SHA-256 that it may have, in hex.
 */
export async function originOf(path: string, known?: string): Promise<string | null> {
  if (!existsSync(path) || !existsSync(`${path}.sha256`)) return null;
  const [sum = '', origin = 'cached'] = (await readFile(`${path}.sha256`, 'utf8')).trim().split('\n');
  if (known !== undefined && known !== sum) return null;
  return (await sha256Of(path)) === sum ? origin : null;
}

export async function seal(path: string, origin: string): Promise<void> {
  await writeFile(`${path}.sha256`, `${await sha256Of(path)}\n${origin}\n`);
}

/**
 * Makes a folder beside its place and puts it there whole. Of two that do it at once the first one's stays; what is there and
 * is not whole is replaced.
 */
export async function placeFolder(
  folder: string,
  isWhole: () => Promise<boolean>,
  make: (folder: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const working = await createWorkingFolder(folder);
  try {
    await make(working);
    while (!(await isPlaced(working, folder))) {
      if (await isWhole()) return;
      await removeReplaced(folder);
    }
  } finally {
    await rm(working, { recursive: true, force: true });
  }
}

async function isPlaced(working: string, folder: string): Promise<boolean> {
  try {
    await rename(working, folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

/** Moved away first: half of it is never in its place. */
async function removeReplaced(folder: string): Promise<void> {
  const to = workingName(folder);
  await rename(folder, to).catch((error: unknown) => {
    // Another one did it.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
  await rm(to, { recursive: true, force: true });
}
