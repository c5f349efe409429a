import { execa } from 'execa';
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
    const end = await execa(process.execPath, [command, ...args, '--json'], {
      env,
      reject: false,
      ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
    });
    if (end.exitCode === undefined) throw new Error(`holdfast ${args.join(' ')} did not run: ${end.message}`);
    const lines = end.stdout.split('\n').filter((line) => line.trim() !== '');
    return { exitCode: end.exitCode, answer: lastValue(lines), message: end.stderr.trim() };
  };
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
