import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { WayClosed } from '../ways.ts';

/** Writes one file of a .zip to `target`, over what is there. Throws WayClosed when the archive has no such file. */
export async function unzipFile(archive: string, member: string, target: string): Promise<void> {
  const zip = await openPromise(archive, { lazyEntries: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName !== member) continue;
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target));
      return;
    }
  } finally {
    zip.close();
  }
  throw new WayClosed(`the archive has no ${member} in it`);
}
