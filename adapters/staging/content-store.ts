import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, readFile, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import pLimit from 'p-limit';

export interface StoredContent {
  readonly sha256: string;
  readonly bytes: number;
}

export interface StoreEntry extends StoredContent {
  /** When it was written, or last found to be needed. */
  readonly usedAt: Date;
}

export type ContentStore = ReturnType<typeof createContentStore>;

/** What was being written longer ago than this was left by a process that died. */
const abandonedMs = 24 * 3_600_000;
/** Folders that are synced side by side. */
const syncsAtOnce = 8;

/**
 * Bytes by their sha256, at <home>/staged/<first two digits>/<sha256>. A name is only ever given to what is whole, hashed while it
 * was copied, and on the disk; so equal content is there once, and a file that changes while it is copied is what was copied.
 */
export function createContentStore(home: string) {
  const root = join(home, 'staged');
  const partial = join(root, 'partial');
  const pathOf = (sha256: string): string => {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error(`Not a sha256: ${JSON.stringify(sha256)}`);
    return join(root, sha256.slice(0, 2), sha256);
  };

  // Folders with names that a loss of power could take, and of how many pages.
  const unsynced = new Map<string, number>();

  /** Also says that it is needed: what was just found is not collected. */
  async function has(sha256: string): Promise<boolean> {
    const now = new Date();
    const path = pathOf(sha256);
    const found = await utimes(path, now, now).then(
      () => true,
      (error: unknown) => {
        unlessMissing(error);
        return false;
      },
    );
    // Another page may have named it and not be at its end yet.
    if (found && unsynced.has(dirname(path))) await sync(dirname(path));
    return found;
  }

  /** null: it is longer than `mostBytes`, and nothing of it was kept. */
  async function put(content: Readable, mostBytes: number): Promise<StoredContent | null> {
    return page((putInto) => putInto(content, mostBytes));
  }

  /**
   * As many as `work` puts: their folders are synced together, once it is through. Before its end nobody may be told of them:
   * a name that is lost with the power would be a row's content that is not there.
   */
  async function page<T>(work: (putInto: typeof put) => Promise<T>): Promise<T> {
    const named = new Set<string>();
    try {
      return await work((content, mostBytes) => place(content, mostBytes, named));
    } finally {
      const turns = pLimit(syncsAtOnce);
      await Promise.all([...named].map((folder) => turns(() => sync(folder))));
      for (const folder of named) count(folder, -1);
    }
  }

  async function place(content: Readable, mostBytes: number, named: Set<string>): Promise<StoredContent | null> {
    const temporary = join(partial, randomUUID());
    const create = () => open(temporary, 'wx', 0o600);
    let isNamed = false;
    try {
      const file = await create().catch(async (error: unknown) => {
        unlessMissing(error);
        await makeFolder(partial);
        return create();
      });
      const stored = await copy(content, file, mostBytes).finally(() => file.close());
      if (stored === null) return null;
      const path = pathOf(stored.sha256);
      if (!named.has(dirname(path))) count(dirname(path), 1);
      named.add(dirname(path));
      await name(temporary, path);
      isNamed = true;
      return stored;
    } finally {
      content.destroy();
      if (!isNamed) await rm(temporary, { force: true });
    }
  }

  /** What has that name already is replaced by its like. */
  async function name(temporary: string, path: string): Promise<void> {
    await rename(temporary, path).catch(async (error: unknown) => {
      unlessMissing(error);
      await makeFolder(dirname(path));
      await rename(temporary, path);
    });
  }

  function count(folder: string, pages: 1 | -1): void {
    const left = (unsynced.get(folder) ?? 0) + pages;
    if (left === 0) unsynced.delete(folder);
    else unsynced.set(folder, left);
  }

  async function makeFolder(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await sync(root);
  }

  /** Its bytes. Throws when they are not (any more) what their name says. */
  async function read(sha256: string): Promise<Buffer> {
    const bytes = await readFile(pathOf(sha256));
    if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
    throw new Error(`The staged content ${sha256} is damaged: stage it again after removing ${pathOf(sha256)}`);
  }

  async function* entries(): AsyncGenerator<StoreEntry> {
    for await (const folder of await openedOrEmpty(root)) {
      if (!/^[0-9a-f]{2}$/.test(folder.name)) continue;
      for await (const { name: sha256 } of await openedOrEmpty(join(root, folder.name))) {
        const stats = await stat(join(root, folder.name, sha256)).catch(() => null);
        if (stats !== null) yield { sha256, bytes: stats.size, usedAt: stats.mtime };
      }
    }
  }

  /** Unless somebody found it to be needed since `usedBefore`. */
  async function remove(sha256: string, usedBefore: Date): Promise<boolean> {
    const stats = await stat(pathOf(sha256)).catch(() => null);
    if (stats === null || stats.mtime >= usedBefore) return false;
    await rm(pathOf(sha256), { force: true });
    return true;
  }

  /** What processes that died were writing. */
  async function removeAbandoned(now: Date): Promise<void> {
    for await (const { name } of await openedOrEmpty(partial)) {
      const stats = await stat(join(partial, name)).catch(() => null);
      if (stats !== null && now.getTime() - stats.mtimeMs > abandonedMs) await rm(join(partial, name), { force: true });
    }
  }

  const openContent = (sha256: string): Readable => createReadStream(pathOf(sha256));
  return { root, pathOf, has, put, page, read, open: openContent, entries, remove, removeAbandoned };
}

async function copy(content: Readable, file: FileHandle, mostBytes: number): Promise<StoredContent | null> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) return null;
    hash.update(chunk);
    await file.writeFile(chunk);
  }
  await file.sync();
  return { sha256: hash.digest('hex'), bytes };
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

/** Throws it, unless it says that something is not there. */
function unlessMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

async function openedOrEmpty(folder: string) {
  return opendir(folder).catch((error: unknown) => {
    unlessMissing(error);
    return [];
  });
}
