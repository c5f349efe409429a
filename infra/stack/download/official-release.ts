import { basename, dirname, join } from 'node:path';
import { unpackProgram } from './archive.ts';
import { originOf, placeFolder, seal } from './cached-files.ts';
import type { Downloads } from './downloads.ts';
import { versionOf } from '../prerequisites.js';
import { withTrustedDownload } from './trusted-download.ts';
import type { Release } from './upstream.ts';
import { WayClosed, type Found, type Way } from '../ways.ts';

/** The program as it is in the cache; null when it is not there whole. */
export async function findInCache(path: string): Promise<Found | null> {
  const origin = await originOf(path);
  return origin === null ? null : { path, origin };
}

/** The way of fetching a project's own release into the cache. `release`: null where there is none for this machine. */
export function officialRelease(release: Release | null, path: string, downloads: Downloads): Way {
  return async () => {
    if (!downloads.enabled || release === null) return null;
    await withTrustedDownload(release, downloads, (archive) =>
      placeFolder(
        dirname(path),
        async () => (await originOf(path)) !== null,
        async (folder) => {
          const program = join(folder, basename(path));
          await unpackProgram(archive, release.program, program, downloads.signal);
          await refuseUnlessItRuns(release, program);
          await seal(program, `official release, version ${release.version}`);
        },
      ),
    );
    return findInCache(path);
  };
}

async function refuseUnlessItRuns({ title, version, says }: Release, program: string): Promise<void> {
  const said = await versionOf([program, '--version'], says);
  if (said === version) return;
  throw new WayClosed(
    said === null ? `${title} was downloaded and does not run on this machine` : `${title} says that it is ${said}`,
  );
}
