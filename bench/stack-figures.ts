import getPort from 'get-port';
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { ensureNamespace } from '../adapters/temporal/namespace.ts';
import type { Config } from '../infra/config.ts';
import { createReport } from '../infra/stack/report.ts';
import { startStack, type Stack } from '../infra/stack/stack.ts';
import { findTemporal } from '../infra/stack/temporal/program.ts';
import { memoryOf, type Memory } from './memory.ts';
import { measureLatency, median, type Latency } from './workflow-latency.ts';

const warmStarts = 5;
const idleMs = 5_000;

/** What the stack costs: to start, to keep, and to run a workflow on, beside the same server as it comes. */
export async function measureStack(config: Config): Promise<Record<string, unknown>> {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  await chmod(home, 0o711);
  const own: Config = {
    ...config,
    home,
    temporal: { ...config.temporal, address: null },
    postgres: { ...config.postgres, url: null },
    qdrant: { ...config.qdrant, url: null },
    api: { ...config.api, port: await getPort() },
  };
  const report = createReport((line) => process.stderr.write(`${line}\n`));
  const start = (): Promise<Stack> => startStack(own, report, { apps: true, signal: new AbortController().signal });
  try {
    const first = await timedStart(start);
    await first.stack.stop();
    const warm: number[] = [];
    for (let i = 0; i < warmStarts - 1; i += 1) {
      const { ms, stack } = await timedStart(start);
      warm.push(ms);
      await stack.stop();
    }
    const last = await timedStart(start);
    warm.push(last.ms);
    const figures = await measureRunning(last.stack, own);
    await last.stack.stop();
    return { first_start_ms: first.ms, warm_start_ms: { median: median(warm), all: warm }, ...figures };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function timedStart(start: () => Promise<Stack>): Promise<{ ms: number; stack: Stack }> {
  const since = performance.now();
  const stack = await start();
  return { ms: Math.round(performance.now() - since), stack };
}

async function measureRunning(stack: Stack, config: Config): Promise<Record<string, unknown>> {
  await sleep(idleMs);
  const memory: Record<string, Memory> = { supervisor: memoryOfSelf() };
  for (const { name, pid } of stack.parts) memory[name] = memoryOf(pid() ?? 0);
  const ours = await measureLatency(stack.temporal_address, config.temporal.namespace);
  const asItComes = await measureUntuned(config);
  return {
    memory,
    memory_total_pss_mb: Object.values(memory).reduce((total, { pss_mb }) => total + pss_mb, 0),
    noop_workflow: {
      ours,
      as_it_comes: asItComes,
      ratio: {
        median: ratio(asItComes.median_ms, ours.median_ms),
        hundred_at_once: ratio(asItComes.hundred_at_once_ms, ours.hundred_at_once_ms),
      },
    },
  };
}

/** Only this process, not the parts: those are counted by themselves. */
function memoryOfSelf(): Memory {
  const rss_mb = Math.round(process.memoryUsage().rss / 1024 ** 2);
  return { rss_mb, pss_mb: rss_mb };
}

/** The baseline: the same program with a file database and none of our settings. */
async function measureUntuned(config: Config): Promise<Latency> {
  const program = await findTemporal(config.cache);
  if (program === null) throw new Error('there is no Temporal to compare with');
  const [port, ui] = [await getPort(), await getPort()];
  const database = join(config.home, 'untuned.db');
  const flags = ['--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(ui), '--db-filename', database];
  const server = spawn(program.path, ['server', 'start-dev', ...flags, '--log-level', 'error'], { stdio: 'ignore' });
  try {
    const connection = await Connection.connect({ address: `127.0.0.1:${port}`, connectTimeout: 30_000 });
    await ensureNamespace(connection, 'bench');
    await connection.close();
    return await measureLatency(`127.0.0.1:${port}`, 'bench');
  } finally {
    server.kill('SIGTERM');
  }
}

function ratio(baseline: number, ours: number): number {
  return Math.round((baseline / ours) * 100) / 100;
}
