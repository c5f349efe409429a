import type { WaveKind } from '../wave/words.ts';
import type { SearchSettings } from './settings.ts';

/** A question as the arms take it. null or empty: that arm is not asked. */
export interface Question {
  readonly dense: readonly number[] | null;
  readonly terms: { readonly indices: readonly number[]; readonly values: readonly number[] };
}

/** What of a project can be seen: generations.md, G8. */
export interface Scope {
  readonly project: string;
  readonly generation: number;
  readonly kind: WaveKind | null;
}

/** Names of the vectors of a collection. */
const using = { dense: 'dense', lexical: 'terms' } as const;

interface Prefetch {
  readonly query: number[] | { readonly indices: number[]; readonly values: number[] };
  readonly using: string;
  readonly limit: number;
  readonly filter: ReturnType<typeof scopeFilter>;
  readonly params?: { readonly exact: true };
}

export interface CandidateQuery {
  readonly prefetch: Prefetch[];
  readonly query: { readonly rrf: { readonly k: number; readonly weights: number[] } };
  readonly limit: number;
}

/**
 * Both arms of one project, fused; null when there is nothing to ask. The filter stands in each arm: one behind the fusion
 * would leave an arm full of what is thrown away then.
 */
export function candidateQuery(
  { dense, terms }: Question,
  scope: Scope,
  {
    k,
    weights,
    depth,
    limit,
    exact,
  }: Pick<SearchSettings, 'k' | 'weights' | 'depth'> & { readonly limit: number; readonly exact: boolean },
): CandidateQuery | null {
  const filter = scopeFilter(scope);
  // Two arms give more together than each alone; how deep they reach decides the order, so it does not follow the limit.
  const both = dense !== null && terms.indices.length > 0;
  const most = both ? depth : Math.max(depth, limit);
  const prefetch: Prefetch[] = [];
  if (dense !== null)
    prefetch.push({
      query: [...dense],
      using: using.dense,
      limit: most,
      filter,
      ...(exact ? { params: { exact: true } } : {}),
    });
  if (terms.indices.length > 0) {
    const query = { indices: [...terms.indices], values: [...terms.values] };
    prefetch.push({ query, using: using.lexical, limit: most, filter });
  }
  if (prefetch.length === 0) return null;
  const ofEach = prefetch.map(({ using: name }) => (name === using.dense ? weights.dense : weights.lexical));
  return { prefetch, query: { rrf: { k, weights: ofEach } }, limit };
}

function scopeFilter({ project, generation, kind }: Scope) {
  const must = [
    { key: 'project', match: { value: project } },
    { key: 'born', range: { lte: generation } },
    { key: 'died', range: { gt: generation } },
    ...(kind === null ? [] : [{ key: 'kind', match: { value: kind } }]),
  ];
  return { must };
}
