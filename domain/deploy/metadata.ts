import type { RollbackTarget, TargetStanding } from './policy.ts';
import type { SchemaFacts } from './instance.ts';
import { schemaCompatible } from './instance.ts';
import { releaseSources, type DeploymentContext, type ReleaseSource } from './words.ts';

/** Release ids that a caller gave explicitly; each wins singly (row D3). */
export interface RequestedReleases {
  readonly previous_release_id?: string | undefined;
  readonly rollback_release_id?: string | undefined;
}

export interface RegistryRelease extends SchemaFacts {
  readonly release_id: string;
  readonly standing: 'built' | 'good' | 'known_bad' | 'gone';
}

export interface RegistryView {
  /** What the service should run now; null when nothing was ever deployed. */
  readonly desired: { readonly release_id: string | null };
  /** Newest first. */
  readonly releases: readonly RegistryRelease[];
}

/** What one source says. Both ids come from the same source, never one from each. */
export interface SourceAnswer {
  readonly source: ReleaseSource;
  /** null: it was asked and has no answer, for this reason. */
  readonly ids: { readonly release_id: string | null; readonly previous_release_id: string | null } | null;
  readonly reason: string;
}

export interface SkippedSource {
  readonly source: ReleaseSource;
  readonly reason: string;
}

export interface ReleaseMetadata {
  readonly previous_release_id: string | null;
  readonly rollback_target_release_id: string | null;
  /** null: no source had an answer. */
  readonly release_metadata_source: ReleaseSource | null;
  readonly release_metadata_skipped: readonly SkippedSource[];
}

/**
 * Row D3 without a chain of the service's own: what this Holdfast deploys is in its registry or was never proved here, so
 * `git` and `command` are asked by default only about what is deployed by somebody else.
 */
export function defaultChain(context: DeploymentContext): readonly ReleaseSource[] {
  return context === 'external' ? releaseSources : ['request', 'registry', 'runtime', 'runtime_logs'];
}

/** The first source that answers gives both ids; a field given explicitly wins singly, and changes no other. */
export function resolveMetadata(
  requested: RequestedReleases,
  answers: readonly SourceAnswer[],
  context: DeploymentContext,
): ReleaseMetadata {
  const first = answers.findIndex(({ ids }) => ids !== null);
  const chosen = first === -1 ? undefined : answers[first];
  const previous = requested.previous_release_id ?? chosen?.ids?.previous_release_id ?? null;
  // Of what is not ours only the caller can say where to go back to.
  const fallback = context === 'external' ? (requested.previous_release_id ?? null) : previous;
  const target = requested.rollback_release_id;
  // Where nobody else has an answer, the caller's one word is the answer.
  const source = chosen?.source ?? (target === undefined ? null : 'request');
  const skipped = first === -1 ? answers : answers.slice(0, first);
  return {
    previous_release_id: previous,
    rollback_target_release_id: target ?? fallback,
    release_metadata_source: source,
    release_metadata_skipped: skipped
      .filter((answer) => answer.source !== source)
      .map(({ source: asked, reason }) => ({ source: asked, reason })),
  };
}

/** `request`: what the caller said ran before. Where to go back to is a field of its own, and says nothing of that. */
export function answerOfRequest({ previous_release_id }: RequestedReleases): SourceAnswer {
  return previous_release_id === undefined
    ? { source: 'request', ids: null, reason: 'the request names no previous release' }
    : { source: 'request', ids: { release_id: null, previous_release_id }, reason: 'given' };
}

/** `registry`: what ran before this deploy if it was good, else the newest good release. */
export function answerOfRegistry(registry: RegistryView, deployed_release_id: string): SourceAnswer {
  const previous = previousGood(registry, deployed_release_id);
  return previous === null
    ? { source: 'registry', ids: null, reason: 'no good release is in the registry' }
    : { source: 'registry', ids: { release_id: deployed_release_id, previous_release_id: previous }, reason: 'found' };
}

function previousGood(registry: RegistryView, deployed: string): string | null {
  const ran = registry.releases.find((release) => release.release_id === registry.desired.release_id);
  if (ran?.standing === 'good') return ran.release_id;
  const newest = registry.releases.find((release) => release.standing === 'good' && release.release_id !== deployed);
  return newest?.release_id ?? null;
}

/** What the bits of a target were found to be; `unowned`: this Holdfast keeps no bits for it. */
export type Bits = 'ok' | 'missing' | 'changed' | 'unowned';

interface TargetFacts {
  readonly bits?: Bits;
  /** What the failed release may have done to the data. */
  readonly deployed?: SchemaFacts | undefined;
}

/**
 * What is known of a rollback target. Missing: never seen, its bits gone or altered, or never proved good here. What no
 * force lifts comes first.
 */
export function standingOf(
  release_id: string,
  releases: readonly RegistryRelease[],
  { bits = 'ok', deployed }: TargetFacts = {},
): TargetStanding {
  const found = releases.find((release) => release.release_id === release_id);
  const proved = found?.standing === 'good' || found?.standing === 'known_bad';
  if (bits !== 'unowned' && (!proved || bits !== 'ok')) return 'missing';
  if (found !== undefined && !schemaFits(found, deployed)) return 'schema_incompatible';
  return found?.standing === 'known_bad' ? 'known_bad' : 'usable';
}

/** A target with all that policy asks about it. */
export function targetOf(
  release_id: string,
  releases: readonly RegistryRelease[],
  facts: TargetFacts = {},
): RollbackTarget {
  const known_bad = releases.some((each) => each.release_id === release_id && each.standing === 'known_bad');
  return { release_id, standing: standingOf(release_id, releases, facts), known_bad };
}

function schemaFits(target: SchemaFacts, deployed: SchemaFacts | undefined): boolean {
  return deployed === undefined || schemaCompatible(target, deployed);
}
