import { cpus, loadavg } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { createOnnxEmbedder } from '../adapters/embeddings/onnx.ts';
import { embeddingProgram } from '../infra/box-paths.ts';
import { readBuildInfo } from '../infra/build-info.ts';
import { loadConfig } from '../infra/config.ts';
import { prepareDownloads } from '../infra/stack/download/downloads.ts';
import { findEmbeddingModel } from '../infra/stack/model/ways.ts';

const usage = 'npm run bench embed -- [--texts 200] [--threads 1]';
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** The bare embedder: what a chunk of 256 word pieces costs, one after the other, and a question. */
async function main(count: number, threads: number): Promise<void> {
  const config = loadConfig();
  const signal = new AbortController().signal;
  const downloads = prepareDownloads({ enabled: config.downloads, cache: config.cache, say, signal });
  const found = await findEmbeddingModel(config.home, downloads);
  if (found.path === null) throw new Error(found.reason);
  const { path: folder, model } = found;
  const idleRssMb = rssMb();
  const embedder = createOnnxEmbedder({ folder, model, program: embeddingProgram, threads, boxLimit: null });
  const loading = await measured(1, () => embedder.ready());
  const loop = monitorEventLoopDelay({ resolution: 5 });
  loop.enable();
  const passages = await measured(count, () => embedder.embed(chunks(count), 'passage', signal));
  loop.disable();
  const questions = await measured(count, () => embedder.embed(questionsOf(count), 'query', signal));
  const result = {
    bench: 'embed',
    command: `npm run bench embed -- ${process.argv.slice(2).join(' ')}`.trim(),
    ...readBuildInfo(),
    at: new Date().toISOString(),
    machine: { cores: cpus().length, cpu: cpus()[0]?.model, load: loadavg()[0], node: process.versions.node },
    ...{ identity: embedder.key, threads, load_ms: loading.wall_ms },
    passages_of_256: { ...passages, event_loop_delay_p99_ms: round(loop.percentile(99) / 1e6) },
    questions_of_12_words: questions,
    memory: { before_rss_mb: idleRssMb, after_rss_mb: rssMb() },
  };
  await embedder.close();
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}

/** Each is cut at 256 word pieces, and no two are alike. */
function chunks(count: number): string[] {
  const sentence = 'a deploy that fails is put back to the release that was good before it, and the reason is kept; ';
  return Array.from({ length: count }, (_, at) => `chunk ${at}: ${sentence.repeat(20)}`);
}

function questionsOf(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `what happens to release ${at} of a service when its deploy fails?`);
}

/** A text each. */
async function measured(count: number, work: () => Promise<unknown>) {
  const [since, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  const wallMs = performance.now() - since;
  return {
    cpu_ms: round((user + system) / 1_000 / count),
    wall_ms: round(wallMs / count),
    a_second: round((count / wallMs) * 1_000),
  };
}

function rssMb(): number {
  return Math.round(process.memoryUsage.rss() / 1024 ** 2);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

const { values } = parseArgs({ options: { texts: { type: 'string' }, threads: { type: 'string' } } });
const [texts, threads] = [Number(values.texts ?? 200), Number(values.threads ?? 1)];
if (!(texts > 0 && threads > 0)) {
  say(usage);
  process.exit(2);
}
main(texts, threads).then(
  () => process.exit(0),
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
