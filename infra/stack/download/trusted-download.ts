import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { recordChecksum, refuseIfChanged, Untrusted } from './checksum-record.ts';
import { download } from './download.ts';
import type { Downloads } from './downloads.ts';
import { checksumOf, publishedChecksum, type Checksum } from './release-checksum.ts';
import { asStackError } from '../stack-error.ts';
import type { UpstreamFile } from './upstream.ts';
import { continueWorkingFolder, leaveWorkingFolder, removeAbandoned } from '../working-folder.ts';

/**
 * Hands a file to `use` that has the publisher's own checksum, the same one as at first use here; it is gone afterwards.
 * Throws WayClosed when it cannot be had, Untrusted when it is another one, StackError when it cannot be kept.
 */
export async function withTrustedDownload(
  file: UpstreamFile,
  downloads: Downloads,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const { cache, say } = downloads;
  try {
    const checksum = await publishedChecksum(file.checksum, downloads);
    await refuseIfChanged(cache, file.key, checksum);
    say(`downloading ${file.title}, once`);
    const place = join(cache, 'downloads', file.key);
    const folder = await continueWorkingFolder(place, largestFirst);
    try {
      await fetchWhole(file, folder, checksum, downloads, use);
    } catch (error) {
      // What is not to be trusted is not gone on with either.
      await (error instanceof Untrusted ? rm(folder, { recursive: true }) : leaveWorkingFolder(folder));
      throw error;
    }
    await rm(folder, { recursive: true });
    await removeAbandoned(place);
  } catch (error) {
    throw asStackError(error, `downloading ${file.title}`);
  }
}

async function fetchWhole(
  file: UpstreamFile,
  folder: string,
  checksum: Checksum,
  downloads: Downloads,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const { path, resumed } = await download(file, folder, downloads);
  const actual = await checksumOf(path, checksum);
  if (actual === checksum) {
    await recordChecksum(downloads.cache, file.key, checksum);
    await use(path);
    return;
  }
  await rm(path);
  // What a power cut left of the first part may be the reason, and only once.
  if (resumed) return fetchWhole(file, folder, checksum, downloads, use);
  throw new Untrusted(
    `${file.title} from ${new URL(file.url).host} has the checksum ${actual}, and its publisher says ${checksum}`,
  );
}

/** The most that was left by those that were interrupted. */
async function largestFirst(folders: readonly string[]): Promise<string[]> {
  const sizes = await Promise.all(
    folders.map(async (folder) => ({
      folder,
      bytes: await stat(join(folder, 'data')).then(
        ({ size }) => size,
        () => 0,
      ),
    })),
  );
  return sizes.sort((a, b) => b.bytes - a.bytes).map(({ folder }) => folder);
}
