import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { PermanentFailure } from '../../domain/failures.ts';
import { runCommand } from '../process/run-command.ts';

export interface BuildStep {
  readonly argv: readonly string[];
  readonly timeout_ms: number;
}

export interface BuildOrder {
  readonly steps: readonly BuildStep[];
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
  readonly onProgress?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const mostLogBytes = 10 * 1024 * 1024;
const shownLines = 20;

/** Runs the steps one after the other in `folder`. What they say is kept in the build log, also when they fail. */
export async function runBuildSteps({ steps, folder, env, logPath, onProgress, signal }: BuildOrder): Promise<void> {
  const log = createWriteStream(logPath, { mode: 0o600 });
  // A log that cannot be written must not fail a build that can be made.
  const written = finished(log).catch(() => undefined);
  let tail = '';
  let bytes = 0;
  const write = (text: string | Buffer) => {
    tail = (tail + text.toString()).slice(-8_192);
    bytes += text.length;
    if (bytes <= mostLogBytes && !log.destroyed) log.write(text);
  };
  try {
    for (const [index, step] of steps.entries()) {
      const name = `build step ${index + 1} (${step.argv.join(' ').slice(0, 200)})`;
      onProgress?.(name);
      write(`[holdfast] ${name}\n`);
      tail = '';
      const problem = await runStep(step, folder, env, write, signal);
      if (problem !== null) throw new PermanentFailure('BuildFailed', `${name} ${problem}${lastLines(tail)}`);
    }
  } finally {
    log.end();
    await written;
  }
}

/** null when the step did well. */
async function runStep(
  { argv, timeout_ms }: BuildStep,
  cwd: string,
  env: Readonly<Record<string, string>>,
  onOutput: (chunk: Buffer) => void,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  try {
    const { exit_code, timed_out } = await runCommand(argv, { cwd, env, timeout_ms, signal, onOutput });
    if (timed_out) return `took longer than ${timeout_ms} ms`;
    return exit_code === 0 ? null : `ended with ${exit_code}`;
  } catch (error) {
    signal?.throwIfAborted();
    return `could not be started: ${(error as Error).message}`;
  }
}

function lastLines(text: string): string {
  const lines = text.trim().split('\n').slice(-shownLines).join('\n');
  return lines === '' ? '' : `:\n${lines.slice(-2_000)}`;
}
