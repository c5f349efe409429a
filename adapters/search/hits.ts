import { cosine } from '../../domain/embedding.ts';
import type { Standing } from '../../domain/search/ranking.ts';
import type { WaveKind } from '../../domain/wave/words.ts';
import type { Sql } from '../postgres/connect.ts';
import { vectorFrom } from '../postgres/vectors.ts';

/** A chunk as its rows have it at a generation. */
export interface Row {
  readonly chunk: string;
  readonly project: string;
  readonly generation: number;
  readonly identity: string;
  /** Hex, of what was embedded. */
  readonly content: string;
  readonly document: string;
  readonly source: string;
  readonly uri: string | null;
  readonly path: string;
  readonly title: string;
  readonly media_type: string;
  readonly kind: WaveKind;
  readonly as_of: Date | null;
  readonly view: string | null;
  readonly supersedes: string | null;
  readonly stale: boolean;
  readonly heading: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly place: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** Of the terms of the question those that it has, with their weights in it. */
  readonly weights: Readonly<Record<string, number>>;
  readonly vector: Uint8Array | null;
}

export interface Hydration {
  readonly ids: readonly string[];
  readonly scopes: readonly { readonly project: string; readonly generation: number }[];
  readonly kind: WaveKind | null;
  readonly terms: Iterable<number>;
  /** Whether the vectors are wanted. */
  readonly dense: boolean;
}

/** By one statement. What has no row at the generation of its project is left out (G8): no row, no answer. */
export async function hydrate(sql: Sql, { ids, scopes, kind, terms, dense }: Hydration): Promise<Row[]> {
  if (ids.length === 0) return [];
  const projects = scopes.map(({ project }) => project);
  const generations = scopes.map(({ generation }) => String(generation));
  const rows = await sql<(Omit<Row, 'generation'> & { readonly generation: string })[]>`
    select c.id as chunk, c.project, at.generation, c.identity, encode(c.embedded_sha256, 'hex') as content,
      c.document, d.source, d.uri, d.path, d.title, d.media_type, d.kind, d.as_of, d.view, d.supersedes,
      d.kind = 'trusted_operational' and exists (select 1 from documents n
        where n.project = d.project and n.kind = 'trusted_operational' and n.key <> d.key
          and n.supersedes in (d.item, d.path) and n.born <= at.generation and n.died > at.generation) as stale,
      c.heading, c.text_start as start, c.text_end as end, c.place, c.text,
      coalesce((select jsonb_object_agg(w.term, w.weight) from unnest(c.terms, c.weights) as w (term, weight)
        where w.term = any(${[...terms].map(String)}::bigint[])), '{}') as weights,
      ${dense ? sql`v.vector` : sql`null`} as vector
    from unnest(${projects}::text[], ${generations}::bigint[]) as at (project, generation)
    join chunks c on c.project = at.project and c.id = any(${[...ids]}::uuid[])
      and c.born <= at.generation and c.died > at.generation
    join documents d on d.project = c.project and d.key = c.document
      and d.born <= at.generation and d.died > at.generation
    ${dense ? sql`left join vectors v on v.identity = c.identity and v.embedded_sha256 = c.embedded_sha256` : sql``}
    ${kind === null ? sql`` : sql`where d.kind = ${kind}`}`;
  return rows.map((row) => ({ ...row, generation: Number(row.generation) }));
}

/** Projects of candidates that have a row, but not of a project that was asked: there should be none. */
export async function foreignProjects(sql: Sql, ids: readonly string[], named: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await sql<{ project: string }[]>`
    select project from chunks where id = any(${[...ids]}::uuid[]) and project <> all(${[...named]}::text[])`;
  return rows.map(({ project }) => project);
}

/** The score of each arm, exactly, whichever arm found it. */
export function armScores(
  { weights, vector }: Row,
  question: { readonly dense: Float32Array | null; readonly terms: ReadonlyMap<number, number> },
): { dense: number | null; lexical: number | null } {
  let lexical = question.terms.size === 0 ? null : 0;
  for (const [term, weight] of question.terms) lexical = (lexical ?? 0) + weight * (weights[String(term)] ?? 0);
  const dense = question.dense === null || vector === null ? null : cosine(question.dense, vectorFrom(vector));
  return { dense, lexical };
}

export function standingOf({ kind, stale }: Row): Standing {
  if (kind === 'corpus') return 'raw';
  return stale ? 'stale' : 'current';
}
