import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf } from '../../adapters/process/identity.ts';
import type { Home } from './home.ts';
import { endProcess, forgetProcess, recordProcess } from './process-record.ts';

/** One process that the stack starts and keeps alive. */
export interface Part {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Another user than ours: Postgres, when we are root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  readonly stopSignal: NodeJS.Signals;
  /** `ours`: what it prints goes where our own does, for whoever keeps that; else to its log in the data folder. */
  readonly output?: 'ours';
  /** Before each start: what an unclean end may have left. */
  readonly prepare?: () => Promise<void>;
}

export interface Supervised {
  readonly name: string;
  readonly pid: () => number | null;
  stop(): Promise<void>;
}

const longestLogBytes = 10 * 1024 ** 2;
const firstDelayMs = 200;
const longestDelayMs = 10_000;
const steadyAfterMs = 60_000;

/** Starts it, and starts it again whenever it ends: after 0.2 s, then doubling to 10 s until it was up for a minute. */
export async function supervise(home: Home, part: Part, say: (line: string) => void): Promise<Supervised> {
  let child: ChildProcess | null = null;
  let stopping = false;
  const isStopping = (): boolean => stopping;
  const wake = new AbortController();
  let firstStart = (): void => undefined;
  const started = new Promise<void>((resolve) => (firstStart = resolve));

  async function runOnce(): Promise<string> {
    await part.prepare?.();
    if (part.output === undefined) await rotateLog(home, part.name);
    // What is started after the stop, nobody would end.
    if (isStopping()) return 'stopped';
    child = launch(home, part);
    const ended = ending(child);
    try {
      if (child.pid !== undefined) recordProcess(home, part.name, child.pid, part.stopSignal);
    } catch (error) {
      // A process that is not on record would be left over by the next SIGKILL of ours.
      child.kill(part.stopSignal);
      await ended;
      throw error;
    }
    firstStart();
    const how = await ended;
    child = null;
    return how;
  }

  async function keepAlive(): Promise<void> {
    let delayMs = firstDelayMs;
    for (;;) {
      const since = Date.now();
      const how = await runOnce().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
      firstStart();
      if (isStopping()) break;
      if (Date.now() - since > steadyAfterMs) delayMs = firstDelayMs;
      const log = part.output === undefined ? ` Log: ${logPath(home, part.name)}` : '';
      say(`${part.name} ended (${how}); it is started again in ${delayMs / 1000} s.${log}`);
      await sleep(delayMs, undefined, { signal: wake.signal }).catch(() => undefined);
      if (isStopping()) break;
      delayMs = Math.min(2 * delayMs, longestDelayMs);
    }
    await forgetProcess(home, part.name);
  }

  const loop = keepAlive();
  await started;

  return {
    name: part.name,
    pid: () => child?.pid ?? null,
    async stop() {
      stopping = true;
      wake.abort();
      const identity = child?.pid === undefined ? null : identityOf(child.pid);
      if (identity !== null) await endProcess(identity, part.stopSignal);
      await loop;
    },
  };
}

function logPath(home: Home, part: string): string {
  return join(home.logs, `${part}.log`);
}

/** The log of the run before is kept; two are enough to see why something ended. */
async function rotateLog(home: Home, part: string): Promise<void> {
  const path = logPath(home, part);
  const { size } = await stat(path).catch(() => ({ size: 0 }));
  if (size > longestLogBytes) await rename(path, `${path}.1`);
}

/** In a process group of its own, so that Ctrl-C at the terminal reaches only the supervisor, which stops in order. */
function launch(home: Home, { name, argv: [file, ...args], env, user, output }: Part): ChildProcess {
  if (output === 'ours') {
    return spawn(file, args, { env, detached: true, cwd: '/', stdio: ['ignore', 'inherit', 'inherit'], ...user });
  }
  const log = openSync(logPath(home, name), 'a', 0o600);
  try {
    return spawn(file, args, { env, detached: true, cwd: '/', stdio: ['ignore', log, log], ...user });
  } finally {
    closeSync(log);
  }
}

function ending(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${String(code)}`));
  });
}
