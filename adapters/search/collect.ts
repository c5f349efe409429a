import type { QdrantClient } from '@qdrant/js-client-rest';
import { candidateQuery } from '../../domain/search/candidates.ts';
import type { Degraded } from '../../domain/search/schemas.ts';
import type { SearchSettings } from '../../domain/search/settings.ts';
import type { WaveKind } from '../../domain/wave/words.ts';
import type { Sql } from '../postgres/connect.ts';
import { findCandidates, type Candidate } from './candidates.ts';
import { lexicalCandidates } from './lexical-rows.ts';
import type { Part } from './parts.ts';

export interface Collection {
  readonly settings: SearchSettings;
  readonly kind: WaveKind | null;
  /** Of each project. */
  readonly limit: number;
}

/** The candidates of each project; out of the rows where Qdrant is away, and then said so. */
export async function collectCandidates(
  { sql, qdrant }: { readonly sql: Sql; readonly qdrant: QdrantClient },
  parts: readonly Part[],
  { settings, kind, limit }: Collection,
): Promise<{ candidates: readonly Candidate[]; degraded: Degraded[] }> {
  const asked = parts.flatMap(({ project, generation, collection, chunks, dense, terms }) => {
    const question = {
      dense: dense === null ? null : [...dense],
      terms: { indices: [...terms.keys()], values: [...terms.values()] },
    };
    const exact = chunks <= settings.exact_up_to;
    const query = candidateQuery(question, { project, generation, kind }, { ...settings, limit, exact });
    return query === null ? [] : [{ project, collection, query }];
  });
  const found = await findCandidates(qdrant, asked);
  const degraded: Degraded[] = [];
  const each = await Promise.all(
    parts.map(async ({ project, generation, terms }) => {
      const answer = found.get(project);
      if (answer === undefined) return [];
      if (!('away' in answer)) return answer.candidates;
      const detail = `Qdrant: ${answer.away}; found by words alone, in the rows`;
      degraded.push({ project, reason: 'candidates_unavailable', detail });
      return lexicalCandidates(sql, { project, generation, kind, terms, fusion: settings, limit });
    }),
  );
  return { candidates: each.flat(), degraded };
}
