import type { TargetStanding } from './policy.ts';
import type { ReleaseSource } from './words.ts';

/** Release ids that a caller gave explicitly; each wins singly (row D3). */
export interface RequestedReleases {
  readonly previous_release_id?: string | undefined;
  readonly rollback_release_id?: string | undefined;
}

export interface RegistryRelease {
  readonly release_id: string;
  readonly standing: 'built' | 'good' | 'known_bad' | 'gone';
}

export interface RegistryView {
  /** What the service should run now; null when nothing was ever deployed. */
  readonly desired: { readonly release_id: string | null };
  /** Newest first. */
  readonly releases: readonly RegistryRelease[];
}

export interface ReleaseMetadata {
  readonly previous_release_id: string | null;
  readonly rollback_target_release_id: string | null;
  readonly release_metadata_source: ReleaseSource;
}

/**
 * The first source that answers gives both ids, never a mixture of two sources; a field given explicitly wins singly.
 * The registry's "previous" is what ran before this deploy if it was good, else the newest good release.
 */
export function resolveMetadata(
  requested: RequestedReleases,
  registry: RegistryView,
  deployed_release_id: string,
): ReleaseMetadata {
  const fromRegistry = previousGood(registry, deployed_release_id);
  const explicit = requested.previous_release_id ?? requested.rollback_release_id;
  const previous = requested.previous_release_id ?? fromRegistry;
  return {
    previous_release_id: previous,
    rollback_target_release_id: requested.rollback_release_id ?? previous,
    release_metadata_source: explicit === undefined ? 'registry' : 'request',
  };
}

function previousGood(registry: RegistryView, deployed: string): string | null {
  const ran = registry.releases.find((release) => release.release_id === registry.desired.release_id);
  if (ran?.standing === 'good') return ran.release_id;
  const newest = registry.releases.find((release) => release.standing === 'good' && release.release_id !== deployed);
  return newest?.release_id ?? null;
}

/** What the registry knows of a rollback target: a release it never saw, or whose bits are gone, is missing. */
export function standingOf(release_id: string, releases: readonly RegistryRelease[]): TargetStanding {
  const found = releases.find((release) => release.release_id === release_id);
  if (found === undefined || found.standing === 'gone') return 'missing';
  return found.standing === 'known_bad' ? 'known_bad' : 'usable';
}
