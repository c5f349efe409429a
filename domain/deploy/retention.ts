import type { RegistryRelease } from './metadata.ts';

/**
 * Which releases may lose their bits. Kept: the newest `keep` good ones and whatever is in use; everything that never
 * became good goes, since building it again from its commit gives the same. `releases` come newest first.
 */
export function releasesToPrune(
  releases: readonly RegistryRelease[],
  keep: number,
  inUse: readonly (string | null)[],
): readonly RegistryRelease[] {
  const kept = releases.filter((release) => release.standing === 'good').slice(0, keep);
  return releases
    .filter((release) => release.standing !== 'gone')
    .filter((release) => !kept.includes(release) && !inUse.includes(release.release_id));
}
