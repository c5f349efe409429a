import { join } from 'node:path';
import type { Downloads } from '../download/downloads.ts';
import { findInCache, officialRelease } from '../download/official-release.ts';
import { onPath, versionOf } from '../prerequisites.js';
import { pinnedQdrant, qdrantRelease, type Release } from '../download/upstream.ts';
import { WayClosed, type Found, type Way } from '../ways.ts';

/** Those whose behaviour Holdfast knows. */
const servedQdrants = ['1.17', '1.18'];

/** The ways to a program `qdrant`, in order: on PATH, in the cache, its official release. Other ways come after them. */
export function qdrantProgramWays(downloads: Downloads, release: Release | null = qdrantRelease()): readonly Way[] {
  const path = cachedPath(downloads.cache);
  return [foundOnPath, () => findInCache(path), officialRelease(release, path, downloads)];
}

/** What would be used now, without downloading anything; null also when there is one of a version that is not. */
export async function findQdrant(cache: string): Promise<Found | null> {
  const onPathNow = await foundOnPath().catch((error: unknown) => {
    if (error instanceof WayClosed) return null;
    throw error;
  });
  return onPathNow ?? findInCache(cachedPath(cache));
}

async function foundOnPath(): Promise<Found | null> {
  const path = await onPath('qdrant');
  if (path === null) return null;
  const version = await versionOf([path, '--version'], /qdrant (\d+\.\d+\.\d+)/);
  if (version === null) throw new WayClosed(`${path} does not say which version it is, so it is passed over`);
  const isServed = servedQdrants.some((served) => version.startsWith(`${served}.`));
  if (!isServed) throw new WayClosed(`${path} is ${version}, not ${servedQdrants.join(' or ')}, so it is passed over`);
  return { path, origin: `on PATH, version ${version}` };
}

function cachedPath(cache: string): string {
  return join(cache, `qdrant-${pinnedQdrant}`, 'qdrant');
}
