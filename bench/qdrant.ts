import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import getPort from 'get-port';
import { connectQdrant } from '../adapters/qdrant/connect.ts';
import { readBuildInfo } from '../infra/build-info.ts';
import { loadConfig } from '../infra/config.ts';
import { packageRoot } from '../infra/package-root.ts';
import { prepareHome } from '../infra/stack/home.ts';
import { embeddedQdrant } from '../infra/stack/qdrant/embedded.ts';
import { qdrantPart, qdrantSetup, readyQdrant } from '../infra/stack/qdrant/qdrant.ts';
import { supervise } from '../infra/stack/supervised.ts';
import { memoryOf } from './memory.ts';
import { createData, writeData } from './qdrant-data.ts';
import { latencies, measureQdrant, type Latencies, type QdrantFigures } from './qdrant-figures.ts';

const run = promisify(execFile);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const usage = 'npm run bench qdrant -- [--points 20000,100000] [--evidence]';
const queryCount = 500;
/** A snapshot of 100,000 points is written and read within this. */
const requestMs = 600_000;

interface Round {
  readonly points: number;
  readonly rest: QdrantFigures;
  /** The same points and queries on the engine itself, in one process. */
  readonly engine: { readonly upserts_per_s: number; readonly query_ms: Latencies };
  /** How much of the engine is left over REST, and how much longer a query takes. */
  readonly ratio: { readonly upserts: number; readonly query_p50: number };
  readonly memory: { readonly idle_rss_mb: number; readonly filled_rss_mb: number };
}

/** The embedded Qdrant over REST, beside its engine without it. */
async function main(sizes: readonly number[], evidence: boolean, signal: AbortSignal): Promise<void> {
  const load_before = loadavg()[0];
  const rounds: Round[] = [];
  for (const points of sizes) {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
    try {
      rounds.push(await measure(points, folder, signal));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  const result = {
    bench: 'qdrant',
    command: `npm run bench qdrant -- ${process.argv.slice(2).join(' ')}`.trim(),
    ...readBuildInfo(),
    at: new Date().toISOString(),
    machine: {
      ...{ cores: cpus().length, cpu: cpus()[0]?.model, memory_gb: Math.round(totalmem() / 1024 ** 3) },
      load_before,
    },
    rounds,
  };
  const json = `${JSON.stringify(result, null, 2)}\n`;
  process.stdout.write(json);
  if (!evidence) return;
  const target = join(packageRoot, 'docs/evidence');
  await mkdir(target, { recursive: true });
  await writeFile(join(target, 'bench-qdrant.json'), json);
}

async function measure(points: number, folder: string, signal: AbortSignal): Promise<Round> {
  const config = { ...loadConfig(), home: join(folder, 'home') };
  const program = await embeddedQdrant({ cache: config.cache, say, signal });
  say(`${points} points: making them`);
  const data = createData(points, queryCount);
  await writeData(folder, data);

  say(`${points} points: over REST`);
  const home = await prepareHome(config);
  const setup = await qdrantSetup(home, await getPort());
  const server = { url: `http://127.0.0.1:${setup.port}`, apiKey: setup.apiKey };
  const part = await supervise(home, qdrantPart(setup, program), say);
  const rss = (): number => memoryOf(part.pid() ?? 0).rss_mb;
  let rest: QdrantFigures;
  let memory: Round['memory'];
  try {
    await readyQdrant(server, { timeoutMs: 30_000, signal });
    const idle_rss_mb = rss();
    rest = await measureQdrant({ client: connectQdrant(server, requestMs), ...server }, data);
    memory = { idle_rss_mb, filled_rss_mb: rss() };
  } finally {
    await part.stop();
  }

  say(`${points} points: on the engine itself`);
  const [python] = program.argv;
  const { stdout } = await run(python, [join(packageRoot, 'bench/qdrant_engine.py'), folder], { maxBuffer: 1024 ** 2 });
  const { upsert_seconds, query_ms } = JSON.parse(stdout) as { upsert_seconds: number; query_ms: number[] };
  const engine = { upserts_per_s: Math.round(points / upsert_seconds), query_ms: latencies(query_ms) };
  const ratio = {
    upserts: round(rest.upserts_per_s / engine.upserts_per_s),
    query_p50: round(rest.query_ms.p50 / engine.query_ms.p50),
  };
  return { points, rest, engine, ratio, memory };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function readOptions(args: readonly string[]): { sizes: readonly number[]; evidence: boolean } | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { points: { type: 'string', default: '20000,100000' }, evidence: { type: 'boolean', default: false } },
    });
    const sizes = values.points.split(',').map(Number);
    return sizes.every((size) => Number.isInteger(size) && size > 0) ? { sizes, evidence: values.evidence } : null;
  } catch {
    return null;
  }
}

const options = readOptions(process.argv.slice(2));
if (options === null) {
  say(`usage: ${usage}`);
  process.exitCode = 2;
} else {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupt.abort());
  await main(options.sizes, options.evidence, interrupt.signal);
}
