import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { Checksum } from './release-checksum.ts';
import { WayClosed } from '../ways.ts';

/** Bytes that are not those that were promised. Never used; the next way is tried, and it is said loudly. */
export class Untrusted extends WayClosed {
  override readonly name = 'Untrusted';
  constructor(what: string) {
    super(`NOT USED: ${what}`);
  }
}

/** A pinned version has the same bytes for ever. Throws Untrusted when they are others than at first use. */
export async function refuseIfChanged(cache: string, key: string, checksum: Checksum): Promise<void> {
  const path = recordPath(cache, key);
  const first = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  });
  if (first === null || first.trim() === checksum) return;
  throw new Untrusted(
    `the published checksum of ${key} is another one than when it was first used here; of a pinned version that is an ` +
      `attack or a mistake. If you know why, remove ${path}`,
  );
}

/** What was used first stays, also when two do it at once. */
export async function recordChecksum(cache: string, key: string, checksum: Checksum): Promise<void> {
  const path = recordPath(cache, key);
  const written = `${path}.${randomBytes(4).toString('hex')}`;
  await mkdir(join(path, '..'), { recursive: true });
  try {
    await writeFile(written, `${checksum}\n`);
    // A link is made whole or not at all, and never over another.
    await link(written, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await refuseIfChanged(cache, key, checksum);
  } finally {
    await rm(written, { force: true });
  }
}

function recordPath(cache: string, key: string): string {
  return join(cache, 'checksums', key);
}
