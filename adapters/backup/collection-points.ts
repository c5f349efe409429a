import type { QdrantClient } from '@qdrant/js-client-rest';
import type { TransactionSql } from 'postgres';
import { lexicalOnly } from '../../domain/embedding.ts';
import type { Point } from '../../domain/generation/writing.ts';
import type { Sql } from '../postgres/connect.ts';
import { vectorFrom } from '../postgres/vectors.ts';
import { denseVector, sparseVector } from '../qdrant/collections.ts';

/** What is alive in a project at a generation. */
export interface Scope {
  readonly project: string;
  readonly generation: number;
}

/** A point, from whichever store, its terms ascending. When it died is not of it: a wave that goes on meanwhile may date it later. */
export type ComparedPoint = Omit<Point, 'died'>;

const rowsAtOnce = 500;
const pointsAtOnce = 256;

type Row = Omit<ComparedPoint, 'born' | 'terms' | 'dense'> & {
  readonly identity: string;
  readonly born: string;
  readonly terms: readonly string[];
  readonly vector: Buffer | null;
};

/** What a collection has to hold, by the rows: in the order of ids. A row without its vector has none. */
export async function* pointsByRows(
  sql: Sql | TransactionSql,
  collection: string,
  scopes: readonly Scope[],
): AsyncGenerator<ComparedPoint> {
  const pages = sql<Row[]>`
    select c.id, c.project, c.kind, c.born, c.identity, c.terms, c.weights, v.vector
    from unnest(${scopes.map(({ project }) => project)}::text[], ${scopes.map(({ generation }) => generation)}::bigint[])
      as s(project, generation)
    join chunks c on c.project = s.project and c.born <= s.generation and c.died > s.generation
    join generations g on g.project = c.project and g.number = c.born and g.collection = ${collection}
    left join vectors v on v.identity = c.identity and v.embedded_sha256 = c.embedded_sha256
    order by c.id`.cursor(rowsAtOnce);
  for await (const page of pages) {
    for (const { identity, vector, terms, weights, born, ...row } of page) {
      const dense = vector === null || identity === lexicalOnly ? null : vectorFrom(vector);
      yield { ...row, ...inOrder(terms.map(Number), weights), born: Number(born), dense };
    }
  }
}

interface Held {
  readonly id: string | number;
  readonly payload?: Readonly<Record<string, unknown>> | null | undefined;
  readonly vector?: unknown;
}

/**
 * What a collection does hold of it, in the order of ids. Every point is read and looked at here: a filter would be answered by
 * the indexes that are to be compared.
 */
export async function* pointsHeld(
  qdrant: QdrantClient,
  collection: string,
  scopes: readonly Scope[],
  signal: AbortSignal,
): AsyncGenerator<ComparedPoint> {
  const generations = new Map(scopes.map(({ project, generation }) => [project, generation]));
  let offset: string | number | undefined;
  let page = readPage(qdrant, collection, offset);
  for (;;) {
    signal.throwIfAborted();
    const { points, next_page_offset: next } = await page;
    offset = typeof next === 'string' || typeof next === 'number' ? next : undefined;
    if (offset !== undefined) page = readPage(qdrant, collection, offset);
    // Its error is that of the turn in which it is awaited.
    page.catch(() => undefined);
    for (const point of points) if (isAlive(point, generations)) yield compared(point);
    if (offset === undefined) return;
  }
}

function readPage(qdrant: QdrantClient, collection: string, offset: string | number | undefined) {
  return qdrant.scroll(collection, {
    ...{ limit: pointsAtOnce, with_payload: true, with_vector: true },
    ...(offset === undefined ? {} : { offset }),
  });
}

function isAlive({ payload }: Held, generations: ReadonlyMap<string, number>): boolean {
  const generation = generations.get(String(payload?.['project']));
  const [born, died] = [payload?.['born'], payload?.['died']];
  if (generation === undefined || typeof born !== 'number' || typeof died !== 'number') return false;
  return born <= generation && died > generation;
}

function compared({ id, payload, vector }: Held): ComparedPoint {
  const { project, kind, born } = payload as Readonly<Record<string, unknown>>;
  const held = (vector ?? {}) as Readonly<Record<string, unknown>>;
  const sparse = held[sparseVector] as { indices?: number[]; values?: number[] } | undefined;
  const dense = held[denseVector] as readonly number[] | undefined;
  return {
    id: String(id),
    ...{ project: String(project), kind: String(kind), born: Number(born) },
    ...inOrder(sparse?.indices ?? [], sparse?.values ?? []),
    dense: dense === undefined ? null : Float32Array.from(dense),
  };
}

function inOrder(terms: readonly number[], weights: readonly number[]) {
  if (terms.every((term, at) => at === 0 || (terms[at - 1] ?? 0) < term)) return { terms, weights };
  const order = [...terms.keys()].sort((a, b) => (terms[a] ?? 0) - (terms[b] ?? 0));
  return { terms: order.map((at) => terms[at] ?? 0), weights: order.map((at) => weights[at] ?? 0) };
}
