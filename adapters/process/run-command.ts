import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { findLabelled, isAlive, type Labels } from './identity.ts';

export interface CommandOptions {
  readonly cwd: string;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeout_ms?: number | undefined;
  /** Between SIGTERM and SIGKILL, after a timeout or an abort. */
  readonly grace_ms?: number;
  readonly signal?: AbortSignal | undefined;
  /** Both outputs as they come. */
  readonly onOutput?: (chunk: Buffer) => void;
}

export interface CommandResult {
  /** A signal n counts as 128 + n, as in a shell. */
  readonly exit_code: number;
  readonly timed_out: boolean;
  /** The last 64 KiB of each. */
  readonly stdout: string;
  readonly stderr: string;
}

const keptBytes = 65_536;

/**
 * Runs a program to its end, with no shell and in a process group of its own, of which nothing is left afterwards. Throws
 * when it cannot be started and when `signal` aborts; every exit code is a result.
 */
export async function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
  options.signal?.throwIfAborted();
  const child = spawn(argv[0] ?? '', argv.slice(1), {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout = keepTail(child.stdout, options.onOutput);
  const stderr = keepTail(child.stderr, options.onOutput);
  const limit = endAtLimit(child, options);
  try {
    const exit_code = await exitOf(child);
    options.signal?.throwIfAborted();
    return { exit_code, timed_out: limit.reached(), stdout: stdout(), stderr: stderr() };
  } finally {
    limit.clear();
  }
}

/** Ends what an earlier attempt, perhaps of a worker that was killed, left running under these labels. */
export async function endLabelled(labels: Labels): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (let left = findLabelled(labels); left.length > 0; left = findLabelled(labels)) {
    if (Date.now() > deadline)
      throw new Error(`Still there after SIGKILL: pid ${left.map(({ pid }) => pid).join(', ')}`);
    for (const process of left) if (isAlive(process)) kill(process.pid, 'SIGKILL');
    await sleep(20);
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      if (child.pid === undefined) reject(error);
    });
    child.once('exit', (code, signal) => {
      if (child.pid !== undefined) kill(-child.pid, 'SIGKILL');
      const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
      child.once('close', () => resolve(exitCode));
      // Something that left the group may hold the outputs open for ever.
      setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, 500).unref();
    });
  });
}

function endAtLimit(child: ChildProcess, { timeout_ms, grace_ms = 2_000, signal }: CommandOptions) {
  let reached = false;
  let hard: NodeJS.Timeout | undefined;
  const end = () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const group = -child.pid;
    kill(group, grace_ms > 0 ? 'SIGTERM' : 'SIGKILL');
    hard = setTimeout(() => kill(group, 'SIGKILL'), grace_ms);
  };
  const onTimeout = () => {
    reached = true;
    end();
  };
  const soft = timeout_ms === undefined ? undefined : setTimeout(onTimeout, timeout_ms);
  signal?.addEventListener('abort', end, { once: true });
  return {
    reached: () => reached,
    clear: () => {
      clearTimeout(soft);
      clearTimeout(hard);
      signal?.removeEventListener('abort', end);
    },
  };
}

function keepTail(stream: NodeJS.ReadableStream, onOutput?: (chunk: Buffer) => void): () => string {
  let tail = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    onOutput?.(chunk);
    tail = Buffer.concat([tail, chunk]).subarray(-keptBytes);
  });
  return () => tail.toString('utf8');
}

function kill(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
