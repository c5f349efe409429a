import { spawn, type ChildProcess } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { packageRoot } from '../package-root.ts';

/** Runs the `holdfast` command as a person would type it, and gives the last JSON value that it printed. */
export type Holdfast = (args: readonly string[], options?: { readonly input?: string }) => Promise<CommandEnd>;

export interface CommandEnd {
  readonly exitCode: number;
  readonly answer: unknown;
  readonly message: string;
}

export function createHoldfast(env: Readonly<Record<string, string>>, tell: (line: string) => void): Holdfast {
  return async (args, { input } = {}) => {
    tell(`$ holdfast ${args.join(' ')}`);
    const command = join(packageRoot, 'dist/cli/main.js');
    const child = spawn(process.execPath, [command, ...args, '--json'], { env: { ...process.env, ...env } });
    child.stdin.end(input ?? '');
    const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ending(child)]);
    const lines = stdout.split('\n').filter((line) => line.trim() !== '');
    return { exitCode, answer: lastValue(lines), message: stderr.trim() };
  };
}

function ending(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** A long run prints JSON Lines; anything else prints one value, on one line or many. */
function lastValue(lines: readonly string[]): unknown {
  const last = lines.at(-1);
  if (last === undefined) return null;
  try {
    return JSON.parse(lines.join('\n')) as unknown;
  } catch {
    return JSON.parse(last) as unknown;
  }
}
