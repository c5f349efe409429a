import { setTimeout as sleep } from 'node:timers/promises';
import type { QdrantServer } from '../adapters/qdrant/connect.ts';
import { connect } from '../adapters/postgres/connect.ts';
import { connectQdrant } from '../adapters/qdrant/connect.ts';

/** What a process of this file is given before it writes: of both stores, and of the one row that it writes. */
export interface Written {
  readonly databaseUrl: string;
  readonly qdrant: QdrantServer;
  readonly collection: string;
  readonly dimensions: number;
  /** Its listing of the source `writer` is there. */
  readonly project: string;
}

/** The longest that one write took, in ms, and how many there were. */
export interface Pauses {
  readonly postgres: number;
  readonly qdrant: number;
  readonly writes: number;
}

const betweenMs = 5;

/** Of a listing, and of a point of a generation that nobody sees; until it is told to end. */
async function write({ databaseUrl, qdrant: server, collection, dimensions, project }: Written): Promise<void> {
  const sql = connect(databaseUrl, { name: 'holdfast-bench-writer', max: 1 });
  const qdrant = connectQdrant(server);
  const dense = Array.from({ length: dimensions }, (_, at) => Math.sin(at + 1) / 14);
  const vector = { dense, terms: { indices: [1], values: [1] } };
  const payload = { project: 'bench-writer', kind: 'corpus', born: 2, died: Number.MAX_SAFE_INTEGER };
  const writes = {
    postgres: (at: number): Promise<unknown> =>
      sql`update source_listings set items = ${at} where project = ${project} and source = 'writer'`,
    qdrant: (at: number): Promise<unknown> => {
      const id = `00000000-0000-4000-8000-${String(at % 1_000).padStart(12, '0')}`;
      return qdrant.upsert(collection, { wait: true, points: [{ id, vector, payload }] });
    },
  };
  const state = { on: true };
  const longest = { postgres: 0, qdrant: 0, writes: 0 };
  const keep = async (store: keyof typeof writes): Promise<void> => {
    // The first opens the connection.
    for (let at = 0; state.on; at += 1) {
      const since = performance.now();
      await writes[store](at);
      if (at > 0) longest[store] = Math.max(longest[store], Math.round(performance.now() - since));
      longest.writes += 1;
      if (at === 0) process.send?.('writes');
      await sleep(betweenMs);
    }
  };
  process.once('message', () => (state.on = false));
  await Promise.all([keep('postgres'), keep('qdrant')]);
  await sql.end();
  process.send?.(longest);
  process.disconnect();
}

process.once('message', (given) => void write(given as Written));
