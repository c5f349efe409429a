import { statfs } from 'node:fs/promises';

/** Bytes that an unprivileged process may still write where `path` is. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
