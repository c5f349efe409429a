import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createOnnxEmbedder } from '../adapters/embeddings/onnx.ts';
import { parseMarkdown } from '../adapters/parsers/markdown.ts';
import { parseText } from '../adapters/parsers/text.ts';
import { chunkDocument } from '../domain/chunk/chunk-document.ts';
import { isQuarantined } from '../domain/document.ts';
import { embeddingProgram } from '../infra/box-paths.ts';
import { readBuildInfo } from '../infra/build-info.ts';
import { loadConfig, type Config } from '../infra/config.ts';
import { packageRoot } from '../infra/package-root.ts';
import { prepareDownloads } from '../infra/stack/download/downloads.ts';
import { findEmbeddingModel } from '../infra/stack/model/ways.ts';
import { measureQueries, timed, type Queries } from './wave-queries.ts';
import { totalCpuMs } from './process-cost.ts';
import {
  documentsOf,
  measureSize,
  projectOf,
  qdrantAlone,
  round,
  rounded,
  type Rate,
  type Size,
} from './wave-sizes.ts';
import { createStubEmbedder, texts } from './wave-texts.ts';
import { startWaveWorld } from './wave-world.ts';

const usage = 'npm run bench wave -- [--chunks 1000,100000] [--embedded 300] [--evidence]';
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Whole waves: with an embedder that costs nothing, at several sizes; and with the model, beside the model alone. */
async function main(sizes: readonly number[], embedded: number, evidence: boolean): Promise<void> {
  const config = loadConfig();
  const load_before = loadavg()[0];
  const stub = await withStub(config, sizes);
  const model = embedded === 0 ? null : await withModel(config, embedded);
  const result = {
    bench: 'wave',
    command: `npm run bench wave -- ${process.argv.slice(2).join(' ')}`.trim(),
    ...readBuildInfo(),
    at: new Date().toISOString(),
    machine: {
      ...{ cores: cpus().length, cpu: cpus()[0]?.model, memory_gb: Math.round(totalmem() / 1024 ** 3) },
      ...{ node: process.versions.node, load_before, load_after: loadavg()[0] },
    },
    stub_embedder: stub,
    model,
  };
  const json = `${JSON.stringify(result, null, 2)}\n`;
  process.stdout.write(json);
  if (!evidence) return;
  const target = join(packageRoot, 'docs/evidence');
  await mkdir(target, { recursive: true });
  await writeFile(join(target, 'bench-wave.json'), json);
}

interface StubFigures {
  readonly sizes: readonly Size[];
  /** The largest wave beside Qdrant alone, which is filled before and after it. */
  readonly qdrant_alone: readonly Rate[];
  readonly ratio: number;
  readonly ratio_of_cpu: number;
  readonly queries: Queries;
}

async function withStub(config: Config, sizes: readonly number[]): Promise<StubFigures> {
  const embedder = createStubEmbedder();
  const world = await startWaveWorld(config, embedder);
  const measure = async (chunks: number): Promise<Size> => {
    say(`${chunks} chunks`);
    const size = await measureSize(world, chunks);
    say(`${chunks} chunks: ${size.chunks_per_s}/s`);
    return size;
  };
  try {
    const last = sizes.at(-1) ?? 0;
    const smaller: Size[] = [];
    for (const chunks of sizes.slice(0, -1)) smaller.push(await measure(chunks));
    const before = smaller.length === 0 ? [] : [await qdrantAlone(world, projectOf(sizes.at(-2) ?? 0))];
    const largest = await measure(last);
    const qdrant_alone = [...before, await qdrantAlone(world, projectOf(last))];
    const mean = (of: keyof Rate): number =>
      qdrant_alone.reduce((sum, each) => sum + each[of], 0) / qdrant_alone.length;
    return {
      ...{ sizes: [...smaller, largest], qdrant_alone },
      ratio: round(largest.chunks_per_s / mean('per_s')),
      ratio_of_cpu: round(mean('cpu_ms_per_chunk') / (largest.cpu_ms_per_chunk['all'] ?? Infinity)),
      queries: await measureQueries(world, embedder, { project: projectOf(last), chunks: largest.chunks }),
    };
  } finally {
    await world.close();
  }
}

/** A whole wave between two runs of the model alone on the same chunks. */
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
    const documents = [...texts(documentsOf(chunks), 4)];
    const all = documents.flatMap(([path, text]) => chunksOf(path, text));
    const cpuMs = (): number => totalCpuMs(world.costs()) / all.length;
    const alone = async (): Promise<Rate> => {
      const cpu = cpuMs();
      const ms = await timed(() => embedder.embed(all, 'passage', signal));
      return { per_s: round((all.length * 1_000) / ms), cpu_ms_per_chunk: round(cpuMs() - cpu) };
    };
    await embedder.ready();
    await world.project('embedded', documents);
    const before = await alone();
    say(`the model alone: ${before.per_s}/s`);
    const [since, cpu] = [performance.now(), cpuMs()];
    const { wave, seconds_by_phase } = await world.wave('embedded');
    const seconds = (performance.now() - since) / 1_000;
    const ours = { per_s: round(all.length / seconds), cpu_ms_per_chunk: round(cpuMs() - cpu) };
    const after = await alone();
    if (wave.result.embedded !== all.length) throw new Error('the wave embedded other chunks than the model alone');
    const mean = (of: keyof Rate): number => (before[of] + after[of]) / 2;
    return {
      ...{ chunks: all.length, wave: ours, model_alone: [before, after] },
      ratio: round(ours.per_s / mean('per_s')),
      // What else runs on this machine takes time from both, and CPU from none.
      ratio_of_cpu: round(mean('cpu_ms_per_chunk') / ours.cpu_ms_per_chunk),
      seconds_by_phase: rounded(seconds_by_phase),
    };
  } finally {
    await world.close();
  }
}

/** As a wave cuts them. */
function chunksOf(path: string, text: string): string[] {
  const isMarkdown = path.endsWith('.md');
  const chunks = chunkDocument(
    isMarkdown
      ? { ...parseMarkdown(text), mediaType: 'text/markdown', format: 'markdown' }
      : { ...parseText(text, { underlined: false }), mediaType: 'text/plain', format: 'text' },
  );
  if (isQuarantined(chunks)) throw new Error(chunks.detail);
  return chunks.map(({ embedded }) => embedded);
}

const { values } = parseArgs({
  options: { chunks: { type: 'string' }, embedded: { type: 'string' }, evidence: { type: 'boolean' } },
});
const sizes = (values.chunks ?? '1000,100000').split(',').map(Number);
const embedded = Number(values.embedded ?? '300');
const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0;
if (!isCount(embedded) || !sizes.every((size) => isCount(size) && size > 0)) {
  process.stderr.write(`usage: ${usage}\n`);
  process.exitCode = 2;
} else await main(sizes, embedded, values.evidence === true);
