import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { originOf, placeFolder, seal } from './cached-files.ts';
import type { Downloads } from './downloads.ts';
import { withTrustedDownload } from './trusted-download.ts';
import type { Model } from './upstream.ts';
import type { Found, Way } from '../ways.ts';

/** The folder of a model's files in the cache; null when one is missing or is another one than was put there. */
export async function findModel(cache: string, model: Model): Promise<Found | null> {
  const folder = folderOf(cache, model);
  const origins = await Promise.all(model.files.map(({ path }) => originOf(join(folder, path))));
  const [origin] = origins;
  return origin == null || origins.includes(null) ? null : { path: folder, origin };
}

/** The way of fetching a model's files from the hub into the cache, all or none. */
export function downloadedModel(model: Model, downloads: Downloads): Way {
  return async () => {
    if (!downloads.enabled) return null;
    const isWhole = async (): Promise<boolean> => (await findModel(downloads.cache, model)) !== null;
    await placeFolder(folderOf(downloads.cache, model), isWhole, async (folder) => {
      for (const file of model.files) {
        const target = join(folder, file.path);
        await mkdir(dirname(target), { recursive: true });
        await withTrustedDownload(file, downloads, async (path) => {
          await rename(path, target);
          await seal(target, `downloaded, revision ${model.revision}`);
        });
      }
    });
    return findModel(downloads.cache, model);
  };
}

function folderOf(cache: string, { name, revision }: Model): string {
  return join(cache, `${name}-${revision.slice(0, 12)}`);
}
