import { ensureCollection } from '../adapters/qdrant/collections.ts';
import { putPoints } from '../adapters/qdrant/points.ts';
import { totalCpuMs, type Costs } from './process-cost.ts';
import { timed } from './wave-queries.ts';
import { texts } from './wave-texts.ts';
import type { WaveWorld } from './wave-world.ts';

const chunksOfADocument = 12;
/** Of the baseline: as many points, as in a group of the wave's, in as many requests at once as it has batches. */
const [baselinePoints, pointsOfARequest, requestsAtOnce] = [10_000, 256, 4];

export interface Size {
  readonly documents: number;
  readonly chunks: number;
  readonly seconds: number;
  readonly chunks_per_s: number;
  readonly seconds_by_phase: Readonly<Record<string, number>>;
  readonly peak_worker_rss_mb: number;
  /** Of all cores together, by process. The worker is this process, which also asks twice a second how far it is. */
  readonly cpu_ms_per_chunk: Readonly<Record<string, number>>;
  readonly history_events: number;
  readonly history_events_per_1000_documents: number;
}

export interface Rate {
  readonly per_s: number;
  /** Of all processes, on all cores. */
  readonly cpu_ms_per_chunk: number;
}

export const documentsOf = (chunks: number): number => Math.ceil(chunks / chunksOfADocument);
export const projectOf = (chunks: number): string => `texts-${chunks}`;

/** A whole wave, from the folder to the commit, with an embedder that costs nothing. */
export async function measureSize(world: WaveWorld, wanted: number): Promise<Size> {
  const documents = documentsOf(wanted);
  const project = projectOf(wanted);
  await world.project(project, texts(documents));
  let peak = 0;
  const before = world.costs();
  const since = performance.now();
  const { wave, seconds_by_phase } = await world.wave(project, () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  });
  const seconds = (performance.now() - since) / 1_000;
  const { chunks } = wave.result;
  const history_events = await world.events(project);
  return {
    ...{ documents, chunks, seconds: round(seconds), chunks_per_s: Math.round(chunks / seconds) },
    seconds_by_phase: rounded(seconds_by_phase),
    peak_worker_rss_mb: Math.round(peak / 1024 ** 2),
    cpu_ms_per_chunk: perChunk(before, world.costs(), chunks),
    history_events,
    history_events_per_1000_documents: Math.round((history_events * 1_000) / documents),
  };
}

function perChunk(before: Costs, after: Costs, chunks: number): Record<string, number> {
  const each = Object.entries(after).map(([part, { cpu_ms }]): [string, number] => [
    part,
    (cpu_ms - (before[part]?.cpu_ms ?? 0)) / chunks,
  ]);
  const all = (totalCpuMs(after) - totalCpuMs(before)) / chunks;
  return rounded(Object.fromEntries([...each, ['all', all]]));
}

/** What a wave cannot be faster than: the points of a project, sent to Qdrant and nowhere else, nothing made of anything. */
export async function qdrantAlone({ data, qdrant, costs }: WaveWorld, project: string): Promise<Rate> {
  const [generation] = await data<{ collection: string; identity: string }[]>`
    select collection, identity from generations where project = ${project} order by number desc limit 1`;
  if (generation === undefined) throw new Error('nothing was written');
  const rows = await data<{ id: string; terms: string[]; weights: number[]; vector: Buffer }[]>`
    select c.id, c.terms, c.weights, v.vector from chunks c
    join vectors v on v.identity = c.identity and v.embedded_sha256 = c.embedded_sha256
    where c.project = ${project} limit ${baselinePoints}`;
  const points = rows.map(({ id, terms, weights, vector }) => ({
    ...{ id, project, kind: 'corpus' as const, born: 1, died: 2, weights, terms: terms.map(Number) },
    dense: new Float32Array(new Uint8Array(vector).buffer),
  }));
  const name = 'baseline';
  await ensureCollection(qdrant, name, points[0]?.dense.length ?? null);
  let next = 0;
  const send = async (): Promise<void> => {
    while (next < points.length) {
      const some = points.slice(next, (next += pointsOfARequest));
      await putPoints(qdrant, name, some, () => Promise.resolve());
    }
  };
  const cpu = totalCpuMs(costs());
  const ms = await timed(() => Promise.all(Array.from({ length: requestsAtOnce }, send)));
  const cpu_ms_per_chunk = round((totalCpuMs(costs()) - cpu) / points.length);
  await qdrant.deleteCollection(name);
  return { per_s: Math.round((points.length * 1_000) / ms), cpu_ms_per_chunk };
}

export function rounded(each: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(each).map(([name, value]) => [name, round(value)]));
}

export const round = (value: number): number => Math.round(value * 100) / 100;
