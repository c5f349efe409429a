import getPort from 'get-port';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { createProgram } from '../../cli/program.ts';
import { actions, type Action } from '../../domain/action.ts';
import { checkSchema } from '../../domain/health.ts';
import { problemSchema } from '../../domain/problem.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { environmentFor } from '../support/own-home.ts';
import { answerOf, createCli, expectFailure, type Cli } from './run-cli.ts';

let home: string;
let nowhere: { readonly HOLDFAST_URL: string };
let cli: Cli;
beforeAll(async () => {
  nowhere = { HOLDFAST_URL: `http://127.0.0.1:${await getPort()}` }; // where nothing listens
  home = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  cli = createCli(home, nowhere);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function leaves(command: Command, words: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [words.join(' ')];
  return command.commands.flatMap((child) => leaves(child, [...words, child.name()]));
}

function helpOf(path: string): string {
  const words = path.split(' ');
  let said = '';
  const command = words.reduce<Command | undefined>(
    (at, word) => at?.commands.find((child) => child.name() === word),
    createProgram(),
  );
  command?.configureOutput({ writeOut: (text) => (said += text) }).outputHelp();
  return said;
}

/** Every command that there is. */
const commands = leaves(createProgram());

describe('words', () => {
  // What no API is needed for.
  const ownCommands = ['up', 'doctor', 'completion', 'mcp'];

  test('O3 every action that has a command is one, and there is no other', () => {
    const named = Object.values<Action>(actions).flatMap(({ command }) => command ?? []);
    expect([...commands].sort()).toEqual([...named, ...ownCommands].sort());
  });

  test('O3 every command takes --json and says what it is for', async () => {
    for (const path of commands) {
      expect(helpOf(path)).toMatch(/^Usage: holdfast [^]+\n\n[^\n]{10,}\n\n[^]*--json/);
    }
    // What the program says of itself is what the command prints.
    for (const path of ['deploy', 'service register']) {
      const { exitCode, stdout } = await cli.run([...path.split(' '), '--help']);
      expect([exitCode, stdout]).toEqual([0, helpOf(path)]);
    }
  });

  test('O3 the reference has every command and every exit code', () => {
    const reference = readFileSync(join(packageRoot, 'docs/reference/cli.md'), 'utf8');
    for (const command of commands) expect(reference).toContain(`holdfast ${command}`);
    const codes = [...reference.matchAll(/^\| +(\d+) +\|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
  });
});

describe('usage', () => {
  test('O3 help is data, exit code 0; so is the version', async () => {
    const help = await cli.run(['--help']);
    expect([help.exitCode, help.stderr]).toEqual([0, '']);
    expect(help.stdout).toContain('Usage: holdfast');
    const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
    expect((await cli.run(['--version'])).stdout).toBe(`${version}\n`);
  });

  test('O3 help loads nothing that it does not need', () => {
    const trace = { ...environmentFor(home), NODE_DEBUG: 'esm,module' };
    const { stderr } = spawnSync(process.execPath, [cli.main, '--help'], { env: trace, encoding: 'utf8' });
    // Node may itself come from a package.
    const withoutNode = stderr.replaceAll(dirname(dirname(process.execPath)), '');
    const packages = [...withoutNode.matchAll(/node_modules\/((?:@[\w-]+\/)?[\w-]+)/g)].map(([, name]) => name);
    expect([...new Set(packages)]).toEqual(['commander']);
  });

  test.each([
    ['an unknown command', ['colour'], /unknown command 'colour'/],
    ['an unknown verb', ['service', 'colour'], /unknown command 'colour'/],
    ['an unknown option', ['service', 'list', '--colour'], /unknown option '--colour'/],
    ['a missing argument', ['deploy'], /missing required argument 'service'/],
    ['one argument too many', ['status', 'all'], /too many arguments/],
    ['a missing option', ['service', 'register', 'web'], /--file/],
    ['a value that is not one of them', ['token', 'create', '--actor', 'a', '--role', 'king'], /king/],
    ['a number that is none', ['event', 'list', '--limit', 'many'], /--limit/],
    ['a time that is none', ['deploy', 'web', '--timeout', 'soon'], /--timeout/],
    ['a class that is none', ['deploy', 'web', '--no-rollback-on', 'rain'], /--no-rollback-on/],
    ['both ways at once', ['deploy', 'web', '--wait', '--detach'], /cannot be used with/],
    ['a ref and a release', ['deploy', 'web', '--ref', 'main', '--release', 'a'.repeat(40)], /not both/],
    ['what is no release id', ['deploy', 'web', '--release', 'a b'], /id of a release/],
    ['a rollback to a ref', ['deploy', 'web', '--kind', 'rollback', '--ref', 'main'], /not to a ref/],
  ])('O3 exit code 2: %s', async (_what, args, what) => {
    const asJson = await cli.run([...args, '--json']);
    expectFailure(asJson, 2, what, /holdfast .*--help/);
    expect(problemSchema.parse(answerOf(asJson)).detail).toMatch(what);
  });

  test('O3 exit code 2: without --json nothing is on stdout', async () => {
    const end = await cli.run(['service', 'list', '--colour']);
    expectFailure(end, 2, /unknown option '--colour'/, /holdfast .*--help/);
    expect(end.stdout).toBe('');
  });

  test('O3 exit code 2: the next command is the help of the one that was meant', async () => {
    const help = /^next: holdfast wave rollback --help$/;
    expectFailure(await cli.run(['wave', 'rollback', 'lan']), 2, /--reason/, help);
    const other = ['wave', 'rollback', 'lan', '--reason', 'why', '--confirm', 'wan'];
    expectFailure(await cli.run(other), 2, /--confirm says wan/, help);
    const end = await cli.run(['wave', 'rollback', 'lan', '--reason', 'why']);
    expectFailure(end, 2, /needs --confirm=lan where nobody can be asked/, help);
  });

  test('O3 exit code 2: a noun alone shows what can follow', async () => {
    const end = await cli.run(['service']);
    expect([end.exitCode, end.stdout]).toEqual([2, '']);
    expect(end.stderr).toContain('register');
  });

  test('O3 exit code 2: a specification that cannot be read, or is not JSON', async () => {
    const missing = join(home, 'missing.json');
    expectFailure(await cli.run(['service', 'register', 'web', '--file', missing]), 2, /missing\.json/, /holdfast/);
    const end = await cli.run(['service', 'register', 'web', '--file', '-'], { input: '{' });
    expectFailure(end, 2, /not JSON/, /holdfast/);
  });

  test('O3 exit code 2: an environment that is not valid, without its values', async () => {
    const env = { DATABASE_URL: 'mysql://u:hunter2@h/d', HOLDFAST_API_PORT: 'x' };
    const end = await cli.run(['status'], { env });
    expectFailure(end, 2, /HOLDFAST_API_PORT.*DATABASE_URL|DATABASE_URL.*HOLDFAST_API_PORT/, /configuration/);
    expect(end.stderr).not.toContain('hunter2');
  });

  test.each([
    [['service', 'stop', 'web'], /--confirm=web/],
    [['service', 'clear-safe-mode', 'web'], /--confirm=web/],
    [['token', 'revoke', '0123456789ab'], /--confirm=0123456789ab/],
  ])('O3 off a terminal nobody is asked: %j is exit code 2 and names the flag', async (args, what) => {
    expectFailure(await cli.run(args), 2, what, /holdfast/);
    expectFailure(await cli.run([...args, '--confirm=other']), 2, /other/, /holdfast/);
  });
});

describe('where no API answers', () => {
  test('O3 exit code 1 and how to start it; with --json a problem on stdout', async () => {
    expectFailure(await cli.run(['status']), 1, /127\.0\.0\.1:\d+.*ECONNREFUSED/, /npm start.*holdfast doctor/);
    const end = await cli.run(['service', 'list', '--json']);
    expect(end.exitCode).toBe(1);
    expect(problemSchema.parse(answerOf(end)).next).toContain('npm start');
  });

  test('O3 a stack.json that is damaged is as if there were none', async () => {
    mkdirSync(join(home, 'run'), { recursive: true });
    for (const content of ['', '{', 'null', '[]', '{"api_url":5}']) {
      writeFileSync(join(home, 'run/stack.json'), content);
      const end = await cli.run(['status'], { env: { HOLDFAST_URL: '' } });
      expectFailure(end, 1, /No Holdfast answers at http:\/\/127\.0\.0\.1:8420/, /npm start/);
    }
    rmSync(join(home, 'run'), { recursive: true });
  });

  test('O3 a password in HOLDFAST_URL is in no message', async () => {
    for (const url of ['http://me:hunter2@127.0.0.1:9', 'http://:hunter2@127.0.0.1:9', 'http://me:hunter2@']) {
      const end = await cli.run(['status', '--json'], { env: { HOLDFAST_URL: url } });
      expect(end.exitCode).toBe(2);
      expect(end.stderr + end.stdout).not.toContain('hunter2');
    }
  });

  test('O3 where it came from only with HOLDFAST_DEBUG=1', async () => {
    const { stderr } = await cli.run(['status'], { env: { HOLDFAST_DEBUG: '1' } });
    expect(stderr).toMatch(/^\s+at .*:\d+/m);
  });

  test('O3 a reader that has seen enough is no failure', async () => {
    for (const args of [['completion', 'bash'], ['--help']]) {
      const child = spawn(process.execPath, [cli.main, ...args], { env: environmentFor(home, nowhere) });
      child.stdout.destroy();
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number];
      expect([code, said]).toEqual([0, '']);
    }
  });

  test('O3 nobody reads the messages: the exit code is the same', async () => {
    const child = spawn(process.execPath, [cli.main, 'status'], { env: environmentFor(home, nowhere) });
    child.stderr.destroy();
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(1);
  });
});

describe('doctor', () => {
  const ids = [
    ...['node', 'npm', 'git', 'home', 'disk', 'docker', 'temporal', 'postgres', 'qdrant', 'embeddings'],
    ...['supervisor', 'worker', 'api'],
  ];

  test('O3 a line a check, and what to do where something is to be done', async () => {
    const end = await cli.run(['doctor']);
    const lines = end.stdout.trimEnd().split('\n');
    expect(lines.map((line) => /^(?:ok|warn|fail) +(\w+) +\S/.exec(line)?.[1])).toEqual(ids);
    expect(lines.find((line) => / supervisor /.test(line))).toMatch(/^warn.*npm start/);
  });

  test('O3 exit code 8: a check that fails; the same checks as JSON', async () => {
    const path = join(home, 'path');
    mkdirSync(path);
    symlinkSync(process.execPath, join(path, 'node'));
    const end = await cli.run(['doctor', '--json'], { env: { PATH: path } });
    expect(end.exitCode).toBe(8);
    const checks = z.array(checkSchema).parse(answerOf(end));
    expect(checks.map(({ id }) => id)).toEqual(ids);
    expect(checks.filter(({ id }) => id === 'git' || id === 'npm')).toMatchObject([
      { state: 'fail' },
      { state: 'fail' },
    ]);
    expect(checks.filter(({ state, advice }) => state !== 'ok' && advice === null)).toEqual([]);
    expectFailure(await cli.run(['doctor'], { env: { PATH: path } }), 8, /npm: not found/, /Install npm/);
  });
});

describe('completion', () => {
  let script: string;
  beforeAll(async () => (script = (await cli.run(['completion', 'bash'])).stdout));

  /** What bash itself offers after these words. */
  function offered(...words: string[]): string[] {
    const ask = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const out = execFileSync('bash', ['-c', `${script}\n${ask}`, 'bash', 'holdfast', ...words], { encoding: 'utf8' });
    return out.split('\n').filter((word) => word !== '');
  }

  test('O3 bash completes nouns, verbs and options', () => {
    expect(offered('ser')).toEqual(['service']);
    expect(offered('service', 're')).toEqual(['register']);
    expect(offered('deploy', 'web', '--dr')).toEqual(['--dry-run']);
    expect(offered('deploys', 'show', '0', '--fo')).toEqual(['--follow']);
    expect(offered('service', 'register', 'web', '--fi')).toEqual(['--file']);
  });

  test('O3 a script for zsh and for fish has the same words', async () => {
    for (const shell of ['zsh', 'fish']) {
      const { exitCode, stdout } = await cli.run(['completion', shell]);
      expect(exitCode).toBe(0);
      for (const word of commands.flatMap((path) => path.split(' '))) expect(stdout).toContain(word);
    }
    expect((await cli.run(['completion', 'tcsh'])).exitCode).toBe(2);
  });
});
