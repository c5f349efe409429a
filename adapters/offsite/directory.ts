import { mkdir, open, readdir, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { partialPath, type RemoteFile } from '../../domain/offsite/layout.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';
import { openRegular } from '../files/open-regular.ts';
import { forgetPages } from './forget-pages.ts';
import type { RemoteStore } from './remote-store.ts';

const chunkBytes = 2 ** 20;

/** A folder that another disk or machine is mounted at. Throws OffsiteTrouble (away) where the folder is not there. */
export function openDirectory(root: string, signal: AbortSignal): RemoteStore {
  const at = (path: string): string => join(root, path);
  const removeFile = async (path: string): Promise<void> => {
    for (const each of [path, partialPath(path)]) await rm(at(each), { force: true });
  };

  return {
    list: (folder) => guarded(root, async () => filesIn(root, folder)),

    open: (path) =>
      guarded(root, async () => {
        const file = await openRegular(at(path)).catch(nullIfMissing);
        if (file === null) return null;
        if (file === 'other') throw new OffsiteTrouble('refused', `${at(path)} is no file, and nothing of Holdfast's`);
        // What was written just now would be read back from memory, and say nothing of the disk.
        await forgetPages(at(path));
        return file.createReadStream({ highWaterMark: chunkBytes, signal });
      }),

    upload: (file, path, count) =>
      guarded(root, async () => {
        await mkdir(dirname(at(path)), { recursive: true, mode: 0o700 });
        const partial = at(partialPath(path));
        const source = await open(file.path);
        const target = await open(partial, 'a', 0o600);
        try {
          const there = (await target.stat()).size;
          // Longer than the whole: of another attempt at another thing.
          if (there > file.bytes) await target.truncate(0);
          const start = there > file.bytes ? 0 : there;
          count(start);
          await copy({ source, target, start }, signal, count);
          await target.sync();
        } finally {
          await Promise.all([source.close(), target.close()]);
        }
        await rename(partial, at(path));
        await syncFolders(root, dirname(at(path)));
      }),

    remove: (path) =>
      guarded(root, async () => {
        await removeFile(path);
        await syncFolders(root, dirname(at(path)));
      }),

    removeAll: (paths, folders) =>
      guarded(root, async () => {
        for (const path of paths) await removeFile(path);
        for (const folder of folders) await rmdir(at(folder)).catch(nullIfMissingOrFull);
        await syncFolders(root, root);
      }),

    close: async () => undefined,
  };
}

async function copy(
  { source, target, start }: { source: FileHandle; target: FileHandle; start: number },
  signal: AbortSignal,
  count: (bytes: number) => void,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (let position = start; ;) {
    signal.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, chunkBytes, position);
    if (bytesRead === 0) return;
    await target.writeFile(buffer.subarray(0, bytesRead));
    position += bytesRead;
    count(bytesRead);
  }
}

async function filesIn(root: string, folder: string): Promise<RemoteFile[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(nullIfMissing);
  const files: RemoteFile[] = [];
  for (const entry of entries ?? []) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) files.push(...(await filesIn(root, path)));
    else if (entry.isFile()) files.push({ path, bytes: (await stat(join(root, path))).size });
  }
  return files;
}

/** From a folder up to the root: each may be new, and its name is in the one above it. */
async function syncFolders(root: string, folder: string): Promise<void> {
  for (let each = folder; each.startsWith(root); each = dirname(each)) {
    const handle = await open(each).catch(nullIfMissing);
    // Some mounted file systems sync no folders; they are read back all the same.
    await handle?.sync().catch(() => undefined);
    await handle?.close();
    if (each === root) return;
  }
}

function nullIfMissing(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
  throw error;
}

function nullIfMissingOrFull(error: unknown): null {
  return ['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '') ? null : nullIfMissing(error);
}

async function guarded<T>(root: string, work: () => Promise<T>): Promise<T> {
  try {
    if ((await stat(root).catch(nullIfMissing)) === null)
      throw new OffsiteTrouble('away', `${root} is not there: is the disk mounted?`);
    return await work();
  } catch (error) {
    throw troubleOf(error, root);
  }
}

function troubleOf(error: unknown, root: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new OffsiteTrouble('full', `There is no room left at ${root}`, { cause: error });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new OffsiteTrouble('refused', `${root} cannot be written or read: ${code}`, { cause: error });
    // Of disks that are pulled out, and of machines that a folder is mounted from.
    case 'EIO':
    case 'ENOTCONN':
    case 'EHOSTDOWN':
    case 'ESTALE':
    case 'ENODEV':
    case 'ETIMEDOUT':
      return new OffsiteTrouble('away', `${root} does not answer: ${code}`, { cause: error });
    default:
      return error;
  }
}
