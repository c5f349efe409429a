import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { compileTree } from '../support/compile.ts';
import { environmentFor } from '../support/own-home.ts';

export interface End {
  /** As a shell shows it: a signal is 128 and its number. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** Everything on stderr so far. */
  readonly said: () => string;
  readonly end: Promise<End>;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export type Cli = ReturnType<typeof createCli>;

/** The real command as a child process, as a script runs it: off a terminal, and nothing of ours in its environment. */
export function createCli(home: string, usual: Readonly<Record<string, string>> = {}) {
  const main = compileTree().program('cli/main.js');

  function start(args: readonly string[], { env = {}, input = '' }: CliOptions = {}): Running {
    const child = spawn(process.execPath, [main, ...args], { env: environmentFor(home, { ...usual, ...env }) });
    child.stdin.on('error', () => undefined); // it may have ended without reading
    child.stdin.end(input);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 255)));
    });
    const end = Promise.all([text(child.stdout), ended]).then(([stdout, exitCode]) => ({
      exitCode,
      stdout,
      stderr: said,
    }));
    return { child, said: () => said, end };
  }

  return { main, start, run: (args: readonly string[], options: CliOptions = {}) => start(args, options).end };
}

/** The JSON values on stdout, one a line. */
export function linesOf({ stdout }: End): unknown[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

export function answerOf(end: End): unknown {
  const lines = linesOf(end);
  expect(lines).toHaveLength(1);
  return lines[0];
}

/** Every failure says what is wrong in one line, and then the next command; never where in the program it was. */
export function expectFailure(end: End, exitCode: number, what: RegExp, next: RegExp): void {
  const lines = end.stderr.trimEnd().split('\n');
  expect([lines.at(-2), lines.at(-1), end.exitCode]).toEqual([
    expect.stringMatching(what),
    expect.stringMatching(next),
    exitCode,
  ]);
  expect(lines.at(-2)).toMatch(/^holdfast: /);
  expect(lines.at(-1)).toMatch(/^next: /);
  expect(end.stderr).not.toMatch(/^\s+at .*:\d+/m);
}
