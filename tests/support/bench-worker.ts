import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../infra/package-root.ts';
import { servers, type TestDatabases } from './servers.ts';

/** A point in a run at which its worker dies: the nth call of an activity in that run. */
export interface Fault {
  readonly activity: string;
  readonly nth: number;
  readonly when: 'before' | 'during' | 'after';
  /** So far into its work; default: a moment. */
  readonly ms?: number;
}

export interface Death {
  /** `<activity>#<nth>` */
  readonly activity: string;
  readonly when: Fault['when'];
  /** Unix time. */
  readonly at: number;
  /** Until any activity of the worker that came back began; null: none did. */
  readonly resumed_after_ms: number | null;
}

export interface BenchWorkerOptions {
  readonly home: string;
  readonly databases: TestDatabases;
  readonly namespace: string;
  readonly env: Readonly<Record<string, string>>;
}

export type BenchWorker = ReturnType<typeof createBenchWorker>;

/** A real worker process of the box `bench`, which can be killed where a test says. */
export function createBenchWorker({ home, databases, namespace, env }: BenchWorkerOptions) {
  const faultPlan = join(home, 'faults.json');
  let worker: ChildProcess | null = null;
  /** One that is left over would keep the whole run from ending. */
  const living = new Set<ChildProcess>();
  const hasDied = (): boolean => worker !== null && (worker.exitCode !== null || worker.signalCode !== null);

  function startWorker(): void {
    const faults = existsSync(faultPlan) ? ['--import', join(packageRoot, 'tests/support/faults.js')] : [];
    const { databaseUrl, temporalAddress, qdrant } = servers();
    const started = spawn(process.execPath, [...faults, join(packageRoot, 'dist/workers/main.js')], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        HOLDFAST_HOME: home,
        HOLDFAST_TEST_FAULTS: faultPlan,
        HOLDFAST_BOX: 'bench',
        HOLDFAST_DATABASE: databases.database,
        DATABASE_URL: databaseUrl,
        TEMPORAL_ADDRESS: temporalAddress,
        TEMPORAL_NAMESPACE: namespace,
        QDRANT_URL: qdrant.url,
        ...(qdrant.apiKey === null ? {} : { QDRANT_API_KEY: qdrant.apiKey }),
        ...env,
      },
    });
    living.add(started);
    started.once('exit', () => living.delete(started));
    worker = started;
  }

  async function killWorker(): Promise<void> {
    const exits = [...living].map(async (each) => {
      const exit = once(each, 'exit');
      each.kill('SIGKILL');
      await exit;
    });
    await Promise.all(exits);
    worker = null;
  }

  return {
    startWorker,
    killWorker,

    /** From now on the worker dies at these points, once at each, and is started again. Returns those that it died at. */
    async dieAt(faults: readonly Fault[], work: () => Promise<void>): Promise<readonly Death[]> {
      rmSync(`${faultPlan}.done`, { force: true });
      writeFileSync(faultPlan, JSON.stringify(faults));
      await killWorker();
      startWorker();
      const revive = setInterval(() => {
        if (hasDied()) startWorker();
      }, 100);
      try {
        await work();
      } finally {
        clearInterval(revive);
      }
      const attempts = linesOf(`${faultPlan}.attempts`).map(Number);
      const deaths = linesOf(`${faultPlan}.done`).map((line): Death => {
        const death = JSON.parse(line) as Omit<Death, 'resumed_after_ms'>;
        const next = attempts.find((at) => at > death.at);
        return { ...death, resumed_after_ms: next === undefined ? null : next - death.at };
      });
      rmSync(faultPlan);
      await killWorker();
      startWorker();
      return deaths;
    },
  };
}

function linesOf(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .filter((line) => line !== '');
}
