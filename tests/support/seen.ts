import type { QdrantClient } from '@qdrant/js-client-rest';
import { createHash } from 'node:crypto';
import type { Sql } from '../../adapters/postgres/connect.ts';
import { createGenerationStore } from '../../adapters/postgres/generations.ts';
import { createProjectStore } from '../../adapters/postgres/projects.ts';

export interface Seen {
  readonly documents: number;
  readonly chunks: number;
  /** Over chunks and points, without what differs between two projects. */
  readonly hash: string;
}

export interface Stores {
  readonly data: Sql;
  readonly qdrant: QdrantClient;
}

/** What readers of a project see in both stores. Throws on a point that has no row. */
export async function seenIn({ data, qdrant }: Stores, project: string): Promise<Seen> {
  const visible = (await createProjectStore(data).find(project))?.visible ?? 0;
  const generation = visible === 0 ? null : await createGenerationStore(data).find(project, visible);
  const rows = await data<{ id: string; line: string }[]>`
    select c.id, concat_ws('|', d.path, d.title, encode(d.content_sha256, 'hex'), c.ordinal, c.heading::text,
      c.text_start, c.text_end, md5(c.text), c.terms::text, c.weights::text, encode(v.vector_sha256, 'hex')) as line
    from chunks c join documents d on d.project = c.project and d.key = c.document
      and d.born <= ${visible} and d.died > ${visible}
    left join vectors v on v.identity = c.identity and v.embedded_sha256 = c.embedded_sha256
    where c.project = ${project} and c.born <= ${visible} and c.died > ${visible} order by line`;
  const points =
    generation === null
      ? new Map<string, string>()
      : await pointsAt(qdrant, generation.collection, { project, generation: visible });
  const orphans = [...points.keys()].filter((id) => !rows.some((row) => row.id === id));
  if (orphans.length > 0) throw new Error(`points without a row: ${orphans.join(', ')}`);
  const lines = rows.map(({ id, line }) => `${line}|${points.get(id) ?? 'no point'}`);
  const documents = new Set(rows.map(({ line }) => line.split('|')[0])).size;
  return { documents, chunks: rows.length, hash: createHash('sha256').update(lines.join('\n')).digest('hex') };
}

/** Vectors, by the ids of the points that a reader at this generation may find. */
async function pointsAt(
  qdrant: QdrantClient,
  collection: string,
  { project, generation }: { readonly project: string; readonly generation: number },
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const must = [
    { key: 'project', match: { value: project } },
    { key: 'born', range: { lte: generation } },
    { key: 'died', range: { gt: generation } },
  ];
  for (let offset: string | number | undefined; ;) {
    const page = await qdrant.scroll(collection, {
      ...{ filter: { must }, limit: 1_000, with_vector: true, with_payload: false },
      ...(offset === undefined ? {} : { offset }),
    });
    for (const { id, vector } of page.points) found.set(String(id), JSON.stringify(sorted(vector)));
    const next = page.next_page_offset;
    if (typeof next !== 'string' && typeof next !== 'number') return found;
    offset = next;
  }
}

/** The order of a sparse vector's terms says nothing. */
function sorted(vector: unknown): unknown {
  if (typeof vector !== 'object' || vector === null || Array.isArray(vector)) return vector;
  return Object.entries(vector)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]: [string, unknown]) => [name, name === 'terms' ? pairs(value) : value]);
}

function pairs(sparse: unknown): [number, number][] {
  const { indices, values } = sparse as { indices: number[]; values: number[] };
  return indices.map((index, at): [number, number] => [index, values[at] ?? 0]).sort(([a], [b]) => a - b);
}
