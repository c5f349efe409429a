import type { QdrantClient } from '@qdrant/js-client-rest';
import { dimensionsOf, lexicalOnly } from '../../domain/embedding.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import type { Point } from '../../domain/generation/writing.ts';
import type { Sql } from '../postgres/connect.ts';
import { vectorFrom } from '../postgres/vectors.ts';
import { ensureCollection } from '../qdrant/collections.ts';
import { putPoints } from '../qdrant/points.ts';
import type { Watched } from './deps.ts';

const rowsAtOnce = 1_000;

/**
 * Fills a new collection from the rows of a database, with everything that is not to be collected: nothing is embedded for it.
 * Throws PermanentFailure `VectorMissing`, and `CollectionMismatch` when there is another one of that name.
 */
export async function rebuildCollection(
  { data, qdrant }: { readonly data: Sql; readonly qdrant: QdrantClient },
  { collection, into, signal, beat }: Watched & { readonly collection: string; readonly into: string },
): Promise<{ readonly points: number }> {
  const [of] = await data<
    { identity: string }[]
  >`select identity from generations where collection = ${collection} limit 1`;
  if (of === undefined) throw new PermanentFailure('RestoreRefused', `No generation is in ${collection}`);
  await ensureCollection(qdrant, into, dimensionsOf(of.identity));
  const step = `rebuild ${collection}`;
  let points = 0;
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const page = await pageOfPoints(data, collection, after);
    await putPoints(qdrant, into, page, async () => signal.throwIfAborted());
    points += page.length;
    beat({ step, done_bytes: points, total_bytes: null });
    const last = page.at(-1);
    if (last === undefined) return { points };
    after = last.id;
  }
}

type Row = Omit<Point, 'born' | 'died' | 'terms' | 'dense'> & {
  readonly identity: string;
  readonly born: string;
  readonly died: string;
  readonly terms: readonly string[];
  readonly vector: Buffer | null;
};

async function pageOfPoints(data: Sql, collection: string, after: string): Promise<Point[]> {
  const rows = await data<Row[]>`
    select c.id, c.project, c.kind, c.identity, c.born, c.died, c.terms, c.weights, v.vector
    from chunks c join projects p on p.id = c.project and c.died > p.gc_floor
    join generations g on g.project = c.project and g.number = c.born and g.collection = ${collection}
    left join vectors v on v.identity = c.identity and v.embedded_sha256 = c.embedded_sha256
    where c.id > ${after} order by c.id limit ${rowsAtOnce}`;
  return rows.map(({ identity, vector, terms, born, died, ...row }) => {
    if (vector === null && identity !== lexicalOnly)
      throw new PermanentFailure('VectorMissing', `Chunk ${row.id} has no vector under ${identity}`);
    const dense = vector === null || identity === lexicalOnly ? null : vectorFrom(vector);
    return { ...row, dense, terms: terms.map(Number), born: Number(born), died: Number(died) };
  });
}
