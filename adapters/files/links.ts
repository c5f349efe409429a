import { lstat, readdir, readlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';

/** Followed in one go at most, as in Linux. */
const mostLinks = 40;

/** Throws when a symbolic link in `folder` leads out of it, also by way of other links, also when nothing is there yet. */
export async function refuseEscapingLinks(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const link = join(entry.parentPath, entry.name);
    if (await staysInside(folder, link)) continue;
    throw new PermanentFailure('BuildFailed', `The symbolic link ${relative(folder, link)} leads out of the release`);
  }
}

async function staysInside(folder: string, link: string): Promise<boolean> {
  let at = dirname(link);
  let links = 0;
  const todo = [relative(at, link)];
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    at = join(at, part);
    if (!isInside(folder, at)) return false;
    const target = await readlinkIfLink(at);
    if (target === null) continue;
    links += 1;
    if (isAbsolute(target) || links > mostLinks) return false;
    at = dirname(at);
    todo.unshift(...target.split(sep).filter((each) => each !== '' && each !== '.'));
  }
  return true;
}

async function readlinkIfLink(path: string): Promise<string | null> {
  const stats = await lstat(path).catch(() => null);
  return stats?.isSymbolicLink() === true ? readlink(path) : null;
}

export function isInside(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}
