import type { FileHandle } from 'node:fs/promises';
import type { SFTPWrapper } from 'ssh2';

/** The library answers nobody whose connection has gone: whoever waits is told here. */
export interface SftpLink {
  readonly sftp: SFTPWrapper;
  readonly waiting: Set<(error: Error) => void>;
  /** Nobody is to ask any more. */
  isLost: boolean;
}

/** What OpenSSH's server takes and gives at once. */
const chunkBytes = 32_768;
/** Under way at once: 2 MiB fill a line of 100 Mbit/s to a host that is 160 ms away. */
const atOnce = 64;
/** The requests of one connection are answered in any order: so much at the end of what is there may have holes. */
export const unsureBytes = chunkBytes * atOnce;

/** From `start` to the end of the file. Ends when all of it was taken and, where the server can, is on its disk. */
export async function writeFrom(
  link: SftpLink,
  { source, path, start }: { readonly source: FileHandle; readonly path: string; readonly start: number },
  count: (bytes: number) => void,
): Promise<void> {
  const handle = await opened(link, path, start === 0 ? 'w' : 'r+');
  const waiting = new Set<Promise<void>>();
  let fault: unknown = null;
  try {
    for (let position = start; fault === null;) {
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await source.read(buffer, 0, chunkBytes, position);
      if (bytesRead === 0) break;
      const writing: Promise<void> = write(link, handle, buffer.subarray(0, bytesRead), position)
        .then(() => count(bytesRead))
        .catch((error: unknown) => void (fault ??= error))
        .finally(() => waiting.delete(writing));
      waiting.add(writing);
      position += bytesRead;
      if (waiting.size >= atOnce) await Promise.race(waiting);
    }
    await Promise.all(waiting);
    if (fault !== null) throw fault as Error;
    await sync(link, handle);
  } finally {
    await closed(link, handle);
  }
}

/** All of it, in order, asked for ahead of time. */
export async function* readAhead(link: SftpLink, path: string): AsyncGenerator<Buffer> {
  const handle = await opened(link, path, 'r');
  try {
    const bytes = await sizeOf(link, handle);
    const asked: Promise<Buffer>[] = [];
    for (let position = 0, done = 0; done < bytes;) {
      while (asked.length < atOnce && position < bytes) {
        const reading = read(link, handle, position, Math.min(chunkBytes, bytes - position));
        // Of those that nobody waits for any more when one before them fails.
        reading.catch(() => undefined);
        asked.push(reading);
        position += Math.min(chunkBytes, bytes - position);
      }
      const chunk = await asked.shift();
      if (chunk === undefined) return;
      done += chunk.byteLength;
      yield chunk;
    }
  } finally {
    await closed(link, handle);
  }
}

function opened(link: SftpLink, path: string, mode: 'r' | 'r+' | 'w'): Promise<Buffer> {
  return asked(link, (back) => link.sftp.open(path, mode, { mode: 0o600 }, back));
}

/** Of a connection that is gone, the handle is too. */
async function closed(link: SftpLink, handle: Buffer): Promise<void> {
  await asked<undefined>(link, (back) => link.sftp.close(handle, (error) => back(error, undefined))).catch(
    () => undefined,
  );
}

function write(link: SftpLink, handle: Buffer, chunk: Buffer, position: number): Promise<undefined> {
  return asked(link, (back) =>
    link.sftp.write(handle, chunk, 0, chunk.byteLength, position, (error) => back(error ?? undefined, undefined)),
  );
}

/** A server may give less than was asked for: then for the rest again. */
async function read(link: SftpLink, handle: Buffer, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let done = 0; done < bytes;) {
    const start = done;
    const got = await asked<number>(link, (back) =>
      link.sftp.read(handle, buffer, start, bytes - start, position + start, (error, length) => back(error, length)),
    );
    if (got === 0) throw new Error('The file became shorter while it was read');
    done += got;
  }
  return buffer;
}

async function sizeOf(link: SftpLink, handle: Buffer): Promise<number> {
  return (await asked<{ size: number }>(link, (back) => link.sftp.fstat(handle, back))).size;
}

/** fsync@openssh.com; other servers may not have it, and everything is read back anyway. */
async function sync(link: SftpLink, handle: Buffer): Promise<void> {
  await asked<unknown>(link, (back) => link.sftp.ext_openssh_fsync(handle, back)).catch((error: unknown) => {
    if (!/extended request|not support/i.test(String(error))) throw error;
  });
}

/** Free bytes where `path` is; null: the server does not say. */
export async function freeBytesAt(link: SftpLink, path: string): Promise<number | null> {
  try {
    const found = await asked<{ f_bavail: number; f_frsize: number }>(link, (back) =>
      link.sftp.ext_openssh_statvfs(path, back),
    );
    return found.f_bavail * found.f_frsize;
  } catch {
    return null;
  }
}

type Back<T> = (error: Error | null | undefined, value: T) => void;

function asked<T>(link: SftpLink, ask: (back: Back<T>) => void): Promise<T> {
  const { waiting } = link;
  let lose: (error: Error) => void = () => undefined;
  return new Promise<T>((resolve, reject) => {
    if (link.isLost) {
      reject(new Error('The connection was closed'));
      return;
    }
    lose = reject;
    waiting.add(lose);
    try {
      ask((error, value) => (error == null ? resolve(value) : reject(error)));
    } catch (error) {
      // What the server has not, the library throws at once; a connection that is gone too.
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  }).finally(() => waiting.delete(lose));
}
