import { collisionKey, pathObstacle } from './path.ts';
import { inWords } from './room.ts';

export interface ArchiveLimits {
  readonly max_files: number;
  readonly max_bytes: number;
  readonly max_file_bytes: number;
}

/** What a person or a program packs becomes at most so many times smaller; below `freeBytes` it is not asked. */
const mostRatio = 200;
const freeBytes = 10_000_000;

/** An archive that is not unpacked, and why. Nothing of it is kept. */
export class ArchiveRefused extends Error {
  override readonly name = 'ArchiveRefused';
}

/** Watches over an archive while it is unpacked; throws ArchiveRefused at the first thing that does not belong in one. */
export function createArchiveGuard(archiveBytes: number, limits: ArchiveLimits) {
  const names = new Map<string, string>();
  let total = 0;
  const refuse = (path: string, why: string): never => {
    throw new ArchiveRefused(`${JSON.stringify(path.slice(0, 200))}: ${why}`);
  };
  return {
    /** A file comes next. */
    file(path: string): void {
      const obstacle = pathObstacle(path);
      if (obstacle !== null) refuse(path, obstacle);
      const other = names.get(collisionKey(path));
      if (other !== undefined)
        refuse(path, `the archive holds it twice, the other time as ${JSON.stringify(other.slice(0, 200))}`);
      names.set(collisionKey(path), path);
      if (names.size > limits.max_files) refuse(path, `it holds more than ${limits.max_files} files`);
    },

    /** Anything that is neither a file nor a folder. */
    other: (path: string, what: string) => refuse(path, `it is a ${what}, which is not unpacked`),

    /** So many bytes more were unpacked, of a file or of what is around files. */
    unpacked(bytes: number): void {
      total += bytes;
      if (total > limits.max_bytes) throw new ArchiveRefused(`It unpacks to more than ${inWords(limits.max_bytes)}.`);
      if (total > freeBytes && total > archiveBytes * mostRatio)
        throw new ArchiveRefused(`It unpacks to more than ${mostRatio} times its size.`);
    },

    tooLarge: (path: string) => refuse(path, `it is larger than ${inWords(limits.max_file_bytes)}`),
  };
}

export type ArchiveGuard = ReturnType<typeof createArchiveGuard>;
