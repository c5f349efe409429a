import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { originOf, placeFolder, seal } from './cached-files.ts';
import { Untrusted } from './checksum-record.ts';
import type { Downloads } from './downloads.ts';
import { sha256Of } from './release-checksum.ts';
import { withTrustedDownload } from './trusted-download.ts';
import type { Model } from './upstream.ts';
import type { Found, Way } from '../ways.ts';

/** What names a model in the cache, and its bytes. */
interface KnownFiles {
  readonly name: string;
  readonly revision: string;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
}

/** The folder of a model's files in the cache; null when one is missing or has other bytes than are known. */
export async function findModel(cache: string, model: KnownFiles): Promise<Found | null> {
  const folder = modelFolder(cache, model);
  const origins = await Promise.all(model.files.map(({ path, sha256 }) => originOf(join(folder, path), sha256)));
  const [origin] = origins;
  return origin == null || origins.includes(null) ? null : { path: folder, origin };
}

/** The way of fetching a model's files from the hub into the cache, all or none. */
export function downloadedModel(model: Model, downloads: Downloads): Way {
  return async () => {
    if (!downloads.enabled) return null;
    const isWhole = async (): Promise<boolean> => (await findModel(downloads.cache, model)) !== null;
    await placeFolder(modelFolder(downloads.cache, model), isWhole, async (folder) => {
      for (const file of model.files) {
        const target = join(folder, file.path);
        await mkdir(dirname(target), { recursive: true });
        await withTrustedDownload(file, downloads, async (path) => {
          await refuseUnlessKnown(path, file);
          await rename(path, target);
          await seal(target, `downloaded, revision ${model.revision}`);
        });
      }
    });
    return findModel(downloads.cache, model);
  };
}

/** The hub may say what it likes: only these bytes are used. */
async function refuseUnlessKnown(path: string, { title, sha256 }: Model['files'][number]): Promise<void> {
  const actual = await sha256Of(path);
  if (actual !== sha256) throw new Untrusted(`${title} has the checksum ${actual}, and Holdfast knows ${sha256}`);
}

export function modelFolder(cache: string, { name, revision }: Omit<KnownFiles, 'files'>): string {
  return join(cache, `${name}-${revision.slice(0, 12)}`);
}
