import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readBuildInfo } from '../infra/build-info.ts';
import { loadConfig } from '../infra/config.ts';
import { packageRoot } from '../infra/package-root.ts';
import { createReport } from '../infra/stack/report.ts';
// The tests and this benchmark start a Docker in the same way; nothing else of the tests is in here.
// eslint-disable-next-line boundaries/dependencies
import { removeAbandonedDaemons, startDockerDaemon } from '../tests/support/docker-daemon.ts';
import { createCleanup, unlessAborted, type Cleanup } from './deploy-cleanup.ts';
import { table, type Figure } from './deploy-figures.ts';
import { startHoldfast } from './deploy-holdfast.ts';
import { measureDriver } from './deploy-plan.ts';
import type { Bench } from './deploy-rounds.ts';
import { createWorkload } from './deploy-workloads.ts';

interface Options {
  readonly rounds: number;
  readonly evidence: boolean;
  readonly drivers: readonly Figure['driver'][];
}

const usage = 'npm run bench deploy -- [--rounds <n>] [--without docker] [--evidence]';

/** Short, so that many rounds fit in; both sides have the same. */
const rules = {
  ...{ startup_ms: 10_000, stable_ms: 2_000, window_ms: 30_000, period_ms: 100, unhealthy_ms: 1_000, max_flaps: 6 },
};

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(options: Options, cleanup: Cleanup, signal: AbortSignal): Promise<boolean> {
  const load_before = loadavg()[0];
  const dockerSocket = options.drivers.includes('docker') ? await findDocker(cleanup).catch(asError) : '';
  // The worker reads it, as everywhere.
  if (typeof dockerSocket === 'string' && dockerSocket !== '') process.env['DOCKER_HOST'] = `unix://${dockerSocket}`;
  const home = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  // Passed through by the user that Postgres runs as.
  await chmod(home, 0o711);
  const holdfast = await startHoldfast(loadConfig(), home, { report: createReport(say), cleanup, signal });

  const figures: Figure[] = [];
  for (const driver of options.drivers) {
    const prepare = async (): Promise<Bench> => {
      if (dockerSocket instanceof Error && driver === 'docker') throw dockerSocket;
      const folder = join(home, 'bench', driver);
      await mkdir(folder, { recursive: true });
      const workload = await createWorkload(driver, join(folder, 'repository'));
      const { rounds } = options;
      const socket = typeof dockerSocket === 'string' ? dockerSocket : '';
      return {
        holdfast,
        workload,
        folder,
        rounds,
        rules,
        cleanup,
        signal,
        say,
        dockerSocket: socket,
        histories: new Map(),
      };
    };
    figures.push(...(await measureDriver(driver, prepare, signal)));
  }
  const result = {
    bench: 'deploy',
    command: `npm run bench deploy -- ${process.argv.slice(2).join(' ')}`.trim(),
    ...readBuildInfo(),
    at: new Date().toISOString(),
    machine: {
      ...{ cores: cpus().length, cpu: cpus()[0]?.model, memory_gb: Math.round(totalmem() / 1024 ** 3) },
      load_before,
    },
    ...{ rounds: options.rounds, drivers: options.drivers, watch: rules },
    ok: figures.every(({ ok }) => ok),
    figures,
  };
  await publish(result, options.evidence);
  return result.ok;
}

/** The one that was given, else one that is started here. */
async function findDocker(cleanup: Cleanup): Promise<string> {
  const given = process.env['HOLDFAST_TEST_DOCKER'] ?? process.env['DOCKER_HOST'] ?? '';
  if (given !== '') return given.replace(/^unix:\/\//, '');
  await removeAbandonedDaemons();
  const starting = startDockerDaemon();
  cleanup.add('the Docker', async () => (await starting.catch(() => null))?.remove());
  const { socketPath } = await starting;
  say(`  ✓ Docker: started at ${socketPath}`);
  return socketPath;
}

async function publish(result: object & { readonly figures: readonly Figure[] }, evidence: boolean): Promise<void> {
  say(`\n${table(result.figures)}\n`);
  for (const { figure, driver, value, how } of result.figures) if (value === null) say(`${driver}, ${figure}: ${how}`);
  const json = `${JSON.stringify(result, null, 2)}\n`;
  process.stdout.write(json);
  if (!evidence) return;
  const folder = join(packageRoot, 'docs/evidence');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'bench-deploy.json'), json);
}

function readOptions(args: readonly string[]): Options | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string', default: '15' },
        without: { type: 'string' },
        evidence: { type: 'boolean' },
      },
    });
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1 || !['docker', undefined].includes(values.without)) return null;
    const drivers = values.without === 'docker' ? (['process'] as const) : (['process', 'docker'] as const);
    return { rounds, evidence: values.evidence === true, drivers };
  } catch {
    return null;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

async function run(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    say(`usage: ${usage}`);
    return 2;
  }
  const interrupt = new AbortController();
  // Also the second time: what was started has to be taken down.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupt.abort());
  const cleanup = createCleanup(say);
  try {
    return (await unlessAborted(interrupt.signal, main(options, cleanup, interrupt.signal))) ? 0 : 1;
  } catch (error) {
    say(interrupt.signal.aborted ? 'interrupted: taking down what was started' : `holdfast: ${asError(error).message}`);
    return interrupt.signal.aborted ? 130 : 1;
  } finally {
    await cleanup.run();
  }
}

process.exit(await run());
