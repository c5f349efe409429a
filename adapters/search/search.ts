import type { QdrantClient } from '@qdrant/js-client-rest';
import { questionTerms } from '../../domain/lexical/weights.ts';
import type { Resolved } from '../../domain/project/names.ts';
import { rank } from '../../domain/search/ranking.ts';
import type { Degraded, Hit, SearchAnswer, SearchedProject } from '../../domain/search/schemas.ts';
import { arms, defaultSettings, type Arm, type SearchSettings } from '../../domain/search/settings.ts';
import type { WaveKind } from '../../domain/wave/words.ts';
import type { Embedder, Embeddings } from '../embeddings/embedder.ts';
import type { Sql } from '../postgres/connect.ts';
import { collectCandidates } from './collect.ts';
import { armScores, foreignProjects, hydrate, standingOf, type Row } from './hits.ts';
import { makeParts, type Part } from './parts.ts';
import { seeProjects, type SeenProject } from './scopes.ts';

export interface SearchDeps {
  /** The data database. */
  readonly sql: Sql;
  readonly qdrant: QdrantClient;
  /** The one that embeds as this identity says; null: there is none here. */
  readonly embedderOf: (identity: string) => Embedder | null;
}

/** What embeds as an identity says, of what there is here. */
export function embedderAmong(embeddings: Embeddings): SearchDeps['embedderOf'] {
  return (identity) => (embeddings.identity !== null && embeddings.key === identity ? embeddings : null);
}

export interface SearchScope extends Resolved {
  /** As the request names it. */
  readonly asked: string;
  /** Default: what is visible. */
  readonly generation?: number | null;
  /** Before anybody else may: for the wave that writes it. */
  readonly unseen?: boolean;
}

export interface Search {
  readonly query: string;
  /** Each project once. */
  readonly scopes: readonly SearchScope[];
  readonly limit: number;
  readonly kind?: WaveKind | null;
  readonly arms?: readonly Arm[];
  readonly settings?: Partial<SearchSettings>;
  readonly signal?: AbortSignal;
}

export interface Searched extends SearchAnswer {
  /** Projects of candidates that were kept from the answer because nobody had asked for them: there should be none. */
  readonly foreign: readonly string[];
}

export type SearchFunction = (search: Search) => Promise<Searched>;

/**
 * Row C8, rules G8 and G10. Rejects with GenerationGone, and when Postgres is away; what else is away is said in
 * `degraded`. Everything that it waits for has a time limit, so that it ends before what it reads may be collected.
 */
export function createSearch({ sql, qdrant, embedderOf }: SearchDeps): SearchFunction {
  return async ({ query, scopes, limit, kind = null, signal, ...search }) => {
    const settings = { ...defaultSettings, ...search.settings };
    const asked = search.arms ?? arms;
    const terms = asked.includes('lexical') ? questionTerms(query) : new Map<number, number>();
    const seen = await seeProjects(sql, scopes, terms.keys());
    const made = await makeParts(embedderOf, { query, terms, dense: asked.includes('dense'), signal }, seen);
    const { parts } = made;

    // Some of them may have no row any more, or turn out to be twins.
    const most = limit + Math.max(10, Math.ceil(limit / 5));
    const found = await collectCandidates({ sql, qdrant }, parts, { settings, kind, limit: most });
    const rows = await hydrate(sql, {
      ids: found.candidates.map(({ id }) => id),
      scopes: parts,
      kind,
      terms: terms.keys(),
      dense: parts.some(({ dense }) => dense !== null),
    });
    const fused = new Map(found.candidates.map((candidate) => [candidate.id, candidate.fused]));
    const hits = rank(scored(rows, parts, fused), { k: settings.k, weights: settings.weights, limit });

    for (const { chunk } of rows) fused.delete(chunk);
    const without = [...fused.keys()];
    const named = scopes.map(({ project }) => project);
    return {
      query,
      projects: seen.map((at) => searchedProject(at, scopes)),
      hits: hits.map((hit) => hitOf(hit, scopes)),
      degraded: [...made.degraded, ...found.degraded, ...tooFew(parts, { limit, most, hits, without })],
      foreign: await foreignProjects(sql, without, named),
    };
  };
}

type Scored = Row & {
  readonly standing: ReturnType<typeof standingOf>;
  readonly scores: { readonly dense: number | null; readonly lexical: number | null; readonly fused: number };
};

function scored(rows: readonly Row[], parts: readonly Part[], fused: ReadonlyMap<string, number>): Scored[] {
  const partOf = new Map(parts.map((part) => [part.project, part]));
  return rows.flatMap((row) => {
    const part = partOf.get(row.project);
    if (part === undefined) return [];
    const scores = { ...armScores(row, part), fused: fused.get(row.chunk) ?? 0 };
    return [{ ...row, scores, standing: standingOf(row) }];
  });
}

/** Full lists that shrank below what was asked for: there may be hits behind what they were full of. */
function tooFew(
  parts: readonly Part[],
  at: { limit: number; most: number; hits: readonly unknown[]; without: readonly string[] },
): Degraded[] {
  if (at.hits.length >= at.limit || at.without.length < at.most - at.limit) return [];
  const detail = `${at.without.length} candidates have no row at this generation: an older one is being swept`;
  return parts.map(({ project }) => ({ project, reason: 'candidates_stale', detail }));
}

function searchedProject({ project, generation, seen }: SeenProject, scopes: readonly SearchScope[]): SearchedProject {
  const { asked, resolved_by } = scopeOf(project, scopes);
  return { project, asked, resolved_by, generation, identity: seen?.identity ?? null, chunks: seen?.chunks ?? 0 };
}

function scopeOf(project: string, scopes: readonly SearchScope[]): SearchScope {
  return scopes.find((scope) => scope.project === project) ?? { project, asked: project, resolved_by: 'id' };
}

function hitOf(hit: Scored, scopes: readonly SearchScope[]): Hit {
  const { project, generation, chunk, document, source, uri, path, title, start, end, text, media_type, kind } = hit;
  const { view, as_of, supersedes, stale } = hit;
  return {
    ...{ project, resolved_by: scopeOf(project, scopes).resolved_by, generation, chunk, document },
    ...{ source, uri, path, title, heading: [...hit.heading], start, end, place: { ...hit.place }, text, media_type },
    kind,
    trusted: kind === 'corpus' ? null : { view, as_of: as_of?.toISOString() ?? null, supersedes, stale },
    scores: hit.scores,
  };
}
