import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { probeHttp } from '../adapters/probe/http.ts';
import type { WatchRules } from '../domain/deploy/watch.ts';
import type { Cleanup } from './deploy-cleanup.ts';
import { buildStep, serveStep, type Workload } from './deploy-workloads.ts';

/** What Holdfast is compared with: what an operator's own script does, and nothing more. */
export interface BareScript {
  /** Deploys what main is now, stop-first, and watches it as long as Holdfast does. Returns how long that took, in ms. */
  deploy(): Promise<number>;
}

export interface ScriptOptions {
  readonly workload: Workload;
  /** Where it keeps its clone and its releases. */
  readonly folder: string;
  readonly port: number;
  readonly rules: WatchRules;
  readonly cleanup: Cleanup;
  readonly signal: AbortSignal;
}

/** The parts that differ from driver to driver. */
export interface ScriptSteps {
  /** From the files of a commit; nothing that runs is touched. */
  build(sha: string, files: string): Promise<void>;
  /** Ends what ran, and starts this release in its place. */
  replace(sha: string, files: string): Promise<void>;
}

const run = promisify(execFile);
const probeTimeoutMs = 2_000;
const keptReleases = 5;

/** git fetch, git checkout, build, stop, start, probe. */
export function createBareScript({ workload, folder, port, rules, signal }: ScriptOptions, steps: ScriptSteps) {
  const clone = join(folder, 'clone.git');
  const releases = join(folder, 'releases');
  const git = async (...args: string[]) => (await run('git', args, { signal })).stdout.trim();
  let cloned = false;

  async function checkOut(): Promise<{ sha: string; files: string }> {
    if (!cloned) await git('clone', '--quiet', '--mirror', workload.repository, clone);
    cloned = true;
    await git('-C', clone, 'fetch', '--quiet', 'origin');
    const sha = await git('-C', clone, 'rev-parse', 'refs/heads/main');
    const files = join(releases, `${Date.now()}-${sha}`);
    await mkdir(files, { recursive: true });
    await git(`--git-dir=${clone}`, `--work-tree=${files}`, 'checkout', '--quiet', '--force', sha, '--', '.');
    return { sha, files };
  }

  async function staysWell(): Promise<void> {
    const began = performance.now();
    let wellSince: number | null = null;
    for (;;) {
      const now = performance.now();
      if (wellSince === null && now - began > rules.startup_ms)
        throw new Error('The script saw its release never well');
      const { healthy } = await probeHttp(`http://127.0.0.1:${port}/health`, probeTimeoutMs, signal);
      wellSince = healthy ? (wellSince ?? now) : null;
      if (wellSince !== null && now - wellSince >= rules.stable_ms) return;
      await sleep(Math.max(0, now + rules.period_ms - performance.now()), undefined, { signal });
    }
  }

  async function prune(): Promise<void> {
    for (const name of (await readdir(releases)).sort().slice(0, -keptReleases)) {
      await rm(join(releases, name), { recursive: true, force: true });
    }
  }

  return {
    async deploy() {
      const since = performance.now();
      const { sha, files } = await checkOut();
      await steps.build(sha, files);
      signal.throwIfAborted();
      await steps.replace(sha, files);
      await staysWell();
      await prune();
      return performance.now() - since;
    },
  } satisfies BareScript;
}

/** With a program that runs on by itself, as `nohup` or `setsid` start one. */
export function createProcessScript(options: ScriptOptions): BareScript {
  const { folder, port, cleanup, signal } = options;
  let running: ChildProcess | null = null;

  async function stop(): Promise<void> {
    const child = running;
    running = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  cleanup.add("the script's service", stop);

  return createBareScript(options, {
    async build(_, cwd) {
      const [file, ...args] = buildStep;
      await run(file, args, { cwd, signal });
    },
    async replace(sha, cwd) {
      await stop();
      signal.throwIfAborted();
      const log = openSync(join(folder, 'service.log'), 'a');
      const env = { PATH: process.env['PATH'], PORT: String(port), BUILD_SHA: sha };
      const [file, ...args] = serveStep;
      running = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', log, log] });
      closeSync(log);
      running.on('error', () => undefined);
      running.unref();
    },
  });
}
