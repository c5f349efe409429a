import { chmod, chown, lstat, mkdir, symlink, utimes } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { PermanentFailure } from '../../domain/failures.ts';
import { noRoomOr } from '../files/no-room.ts';
import { isWithin } from './way.ts';

/** One entry of an archive that was looked at: its path leads nowhere but below the folder that it is unpacked into. */
export interface UnpackedEntry {
  readonly path: string;
  readonly header: Header;
  readonly content: Readable;
}

/**
 * Reads an archive to its end, entry by entry; what `entry` leaves of a content is passed over. Throws PermanentFailure
 * `RestoreRefused` for a path that is absolute or climbs out, for a link that leads out, for devices, and for what is no tar;
 * and the error of `plain`, which is known only at the end: until then nothing may be made of what came. Whoever ends it by
 * `signal`, which is that of `plain`, has cut it: that is no fault of the archive.
 */
export async function readTar(
  plain: Readable,
  signal: AbortSignal,
  entry: (entry: UnpackedEntry) => Promise<void>,
): Promise<void> {
  const unpacked = extract();
  const fault = pipeline(plain, unpacked as unknown as NodeJS.WritableStream).then(
    () => null,
    (error: unknown) => ({ error }),
  );
  try {
    for await (const each of unpacked) {
      const path = checkedPath(each.header);
      await entry({ path, header: each.header, content: each as unknown as Readable });
      each.resume();
    }
  } catch (caught) {
    plain.destroy();
    const error = noRoomOr(caught);
    // What the source says of itself is why the archive could not be read.
    const said = await fault;
    signal.throwIfAborted();
    if (error instanceof PermanentFailure) throw error;
    throw said !== null && !isOfTar(said.error) ? said.error : refused(`The archive is damaged: ${messageOf(error)}`);
  }
  const said = await fault;
  signal.throwIfAborted();
  if (said !== null) throw said.error;
}

/** Into an empty folder: owners where they may be set, modes and times. Throws as `readTar` does. */
export async function unpackTar(
  plain: Readable,
  folder: string,
  signal: AbortSignal,
): Promise<{ files: number; bytes: number }> {
  const counted = { files: 0, bytes: 0 };
  const later: (() => Promise<void>)[] = [];
  await readTar(plain, signal, async ({ path, header, content }) => {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    if (header.type === 'directory') {
      await mkdir(target, { recursive: true });
      // A folder that may not be written is closed when all is in it.
      later.push(() => dress(target, header));
    } else if (header.type === 'symlink') {
      await symlink(header.linkname, target);
    } else {
      await notThroughLink(folder, path);
      await pipeline(content, createWriteStream(target, { flags: 'wx', mode: 0o600 }));
      await dress(target, header);
      counted.files += 1;
      counted.bytes += header.size;
    }
  });
  for (const each of later.reverse()) await each();
  return counted;
}

async function dress(target: string, { uid, gid, mode, mtime }: Header): Promise<void> {
  if (process.getuid?.() === 0) await chown(target, uid, gid);
  await chmod(target, mode & 0o7777);
  await utimes(target, mtime, mtime);
}

/** A link that was unpacked before would be written through. */
async function notThroughLink(folder: string, path: string): Promise<void> {
  let at = folder;
  for (const part of path.split('/').slice(0, -1)) {
    at = join(at, part);
    if ((await lstat(at)).isSymbolicLink()) throw refused(`The archive writes ${path} through a link`);
  }
}

function checkedPath({ name, type, linkname }: Header): string {
  const path = name.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (
    name.startsWith('/') ||
    name.includes('\0') ||
    path.split('/').includes('..') ||
    (path === '' && type !== 'directory')
  )
    throw refused(`The archive has an entry that leads out of its folder: ${JSON.stringify(name)}`);
  if (type === 'symlink' && (linkname.startsWith('/') || !isWithin(dirname(path), linkname)))
    throw refused(`The archive has a link that leads out of its folder: ${path} -> ${linkname}`);
  if (!['file', 'contiguous-file', 'directory', 'symlink'].includes(type))
    throw refused(`The archive has an entry that is no file, folder or symbolic link: ${path}`);
  return path;
}

function isOfTar(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return (
    code === 'ERR_STREAM_PREMATURE_CLOSE' ||
    code === 'ABORT_ERR' ||
    /tar|Unexpected end of data/i.test(messageOf(error))
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function refused(message: string): PermanentFailure {
  return new PermanentFailure('RestoreRefused', message);
}
