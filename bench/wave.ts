import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Embedder } from '../adapters/embeddings/embedder.ts';
import { createOnnxEmbedder } from '../adapters/embeddings/onnx.ts';
import { createSearch } from '../adapters/search/search.ts';
import { questionTerms } from '../domain/lexical/weights.ts';
import { candidateQuery } from '../domain/search/candidates.ts';
import { defaultSettings } from '../domain/search/settings.ts';
import { embeddingProgram } from '../infra/box-paths.ts';
import { readBuildInfo } from '../infra/build-info.ts';
import { loadConfig, type Config } from '../infra/config.ts';
import { packageRoot } from '../infra/package-root.ts';
import { prepareDownloads } from '../infra/stack/download/downloads.ts';
import { findEmbeddingModel } from '../infra/stack/model/ways.ts';
import { memoryOf } from './memory.ts';
import { latencies, type Latencies } from './qdrant-figures.ts';
import { createStubEmbedder, questions, texts } from './wave-texts.ts';
import { startWaveWorld, type WaveWorld } from './wave-world.ts';

const usage = 'npm run bench wave -- [--chunks 1000,100000] [--embedded 300] [--evidence]';
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const chunksOfADocument = 12;
const queryCount = 300;

interface Size {
  readonly documents: number;
  readonly chunks: number;
  readonly seconds: number;
  readonly chunks_per_s: number;
  readonly peak_rss_mb: number;
  readonly history_events: number;
  readonly history_events_per_1000_documents: number;
}

interface Queries {
  readonly chunks: number;
  readonly search_ms: Latencies;
  /** The same candidates from Qdrant, and one read of their rows by primary key. */
  readonly direct_ms: Latencies;
  readonly ratio_p50: number;
  readonly ratio_p99: number;
}

/** Whole waves: with an embedder that costs nothing, at several sizes; and with the model, beside the model alone. */
async function main(sizes: readonly number[], embedded: number, evidence: boolean): Promise<void> {
  const config = loadConfig();
  const load_before = loadavg()[0];
  const stub = await withStub(config, sizes);
  const model = await withModel(config, embedded);
  const result = {
    bench: 'wave',
    command: `npm run bench wave -- ${process.argv.slice(2).join(' ')}`.trim(),
    ...readBuildInfo(),
    at: new Date().toISOString(),
    machine: {
      ...{ cores: cpus().length, cpu: cpus()[0]?.model, memory_gb: Math.round(totalmem() / 1024 ** 3) },
      load_before,
    },
    ...stub,
    model,
  };
  const json = `${JSON.stringify(result, null, 2)}\n`;
  process.stdout.write(json);
  if (!evidence) return;
  const target = join(packageRoot, 'docs/evidence');
  await mkdir(target, { recursive: true });
  await writeFile(join(target, 'bench-wave.json'), json);
}

async function withStub(config: Config, sizes: readonly number[]): Promise<{ sizes: Size[]; queries: Queries }> {
  const embedder = createStubEmbedder();
  const world = await startWaveWorld(config, embedder);
  try {
    const measured: Size[] = [];
    for (const chunks of sizes) measured.push(await measureSize(world, chunks));
    const largest = measured.at(-1);
    if (largest === undefined) throw new Error('no size was given');
    return {
      sizes: measured,
      queries: await measureQueries(world, embedder, projectOf(sizes.at(-1) ?? 0), largest.chunks),
    };
  } finally {
    await world.close();
  }
}

const projectOf = (chunks: number): string => `texts-${chunks}`;

async function measureSize(world: WaveWorld, chunks: number): Promise<Size> {
  const documents = Math.ceil(chunks / chunksOfADocument);
  const project = projectOf(chunks);
  say(`${chunks} chunks: writing ${documents} documents`);
  await world.project(project, texts(documents));
  let peak = 0;
  const since = performance.now();
  const { result } = await world.wave(project, () => (peak = Math.max(peak, memoryOf(process.pid).rss_mb)));
  const seconds = (performance.now() - since) / 1_000;
  const history_events = await world.events(project);
  say(`${chunks} chunks: ${result.chunks} in ${seconds.toFixed(1)} s`);
  return {
    documents,
    chunks: result.chunks,
    seconds: round(seconds),
    chunks_per_s: Math.round(result.chunks / seconds),
    peak_rss_mb: peak,
    history_events,
    history_events_per_1000_documents: Math.round((history_events * 1_000) / documents),
  };
}

async function measureQueries(world: WaveWorld, embedder: Embedder, project: string, chunks: number): Promise<Queries> {
  const { data, qdrant } = world;
  const search = createSearch({ sql: data, qdrant, embedderOf: () => embedder });
  const scopes = [{ project, asked: project, resolved_by: 'id' as const }];
  const generation = await world.visible(project);
  const [row] = await data<{ collection: string }[]>`
    select collection from generations where project = ${project} and number = ${generation}`;
  const collection = row?.collection ?? '';
  const ours: number[] = [];
  const direct: number[] = [];
  for (const query of questions(queryCount)) {
    ours.push(await timed(() => search({ query, scopes, limit: 10 })));
    const [vector] = await embedder.embed([query], 'query', new AbortController().signal);
    const terms = questionTerms(query);
    const asked = candidateQuery(
      { dense: [...(vector ?? [])], terms: { indices: [...terms.keys()], values: [...terms.values()] } },
      { project, generation, kind: null },
      { ...defaultSettings, limit: 10, exact: false },
    );
    if (asked === null) throw new Error('nothing to ask');
    direct.push(
      await timed(async () => {
        const [answer] = await qdrant.queryBatch(collection, { searches: [asked] });
        const ids = answer?.points.map(({ id }) => String(id)) ?? [];
        await data`select * from chunks where id = any(${ids}::uuid[])`;
      }),
    );
  }
  const [search_ms, direct_ms] = [latencies(ours), latencies(direct)];
  const ratio = (of: 'p50' | 'p99'): number => round(search_ms[of] / direct_ms[of]);
  return { chunks, search_ms, direct_ms, ratio_p50: ratio('p50'), ratio_p99: ratio('p99') };
}

/** A whole wave beside the model alone, on the same chunks in the same run. */
async function withModel(config: Config, chunks: number) {
  const signal = new AbortController().signal;
  const found = await findEmbeddingModel(
    config.home,
    prepareDownloads({ enabled: config.downloads, cache: config.cache, say, signal }),
  );
  if (found.path === null) throw new Error(found.reason);
  const local = { folder: found.path, model: found.model, program: embeddingProgram, threads: 1, boxLimit: null };
  const embedder = createOnnxEmbedder(local);
  const world = await startWaveWorld(config, embedder);
  try {
    await embedder.ready();
    await world.project('embedded', texts(Math.ceil(chunks / chunksOfADocument), 4));
    const since = performance.now();
    const { result } = await world.wave('embedded');
    const wave = result.chunks / ((performance.now() - since) / 1_000);
    const rows = await world.data<{ text: string }[]>`select text from chunks where project = 'embedded'`;
    const all = rows.map(({ text }) => text);
    const bareMs = await timed(() => embedder.embed(all, 'passage', signal));
    const bare = all.length / (bareMs / 1_000);
    return {
      chunks: all.length,
      wave_chunks_per_s: round(wave),
      bare_chunks_per_s: round(bare),
      ratio: round(wave / bare),
    };
  } finally {
    await world.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return performance.now() - since;
}

const round = (value: number): number => Math.round(value * 100) / 100;

const { values } = parseArgs({
  options: { chunks: { type: 'string' }, embedded: { type: 'string' }, evidence: { type: 'boolean' } },
});
const sizes = (values.chunks ?? '1000,100000').split(',').map(Number);
const embedded = Number(values.embedded ?? '300');
if (![...sizes, embedded].every((size) => Number.isInteger(size) && size > 0)) {
  process.stderr.write(`usage: ${usage}\n`);
  process.exitCode = 2;
} else await main(sizes, embedded, values.evidence === true);
