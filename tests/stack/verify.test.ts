import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../infra/package-root.ts';
import { lastLine } from '../../infra/verify.js';
import { createFolder } from '../support/own-home.ts';

const folder = createFolder();
afterAll(() => folder.remove());

const fine = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numRuntimeErrorTestSuites: 0,
};

/** A root of its own, whose jest is a program that keeps what it was told and says `result`. */
function createRoot(name: string, result: object | null): string {
  const root = join(folder.path, name);
  mkdirSync(join(root, 'node_modules/jest/bin'), { recursive: true });
  const say = `writeFileSync('.cache/jest-result.json', ${JSON.stringify(JSON.stringify(result))});`;
  writeFileSync(
    join(root, 'node_modules/jest/bin/jest.js'),
    `const { writeFileSync } = require('node:fs');
    writeFileSync('told.json', JSON.stringify({ args: process.argv.slice(2), without: process.env.HOLDFAST_TEST_WITHOUT }));
    ${result === null ? 'process.exit(1);' : say}`,
  );
  return root;
}

/** `npm test -- <args>` in that root, in a process of its own as a person starts it. */
function verifyIn(root: string, args: readonly string[], env: Record<string, string> = {}): SpawnSyncReturns<string> {
  const script = `import { verify } from ${JSON.stringify(pathToFileURL(join(packageRoot, 'infra/verify.js')).href)};
    process.exitCode = await verify(${JSON.stringify(root)}, ${JSON.stringify(args)});`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...env },
  });
}

function told(root: string): { args: string[]; without: string } {
  return JSON.parse(readFileSync(join(root, 'told.json'), 'utf8')) as { args: string[]; without: string };
}

test('the last line is computed from the result; a suite that could not run and a todo count', () => {
  const root = createRoot('counts', null);
  mkdirSync(join(root, '.cache'));
  const result = { ...fine, numFailedTests: 1, numRuntimeErrorTestSuites: 2, numPendingTests: 4, numTodoTests: 1 };
  writeFileSync(join(root, '.cache/jest-result.json'), JSON.stringify(result));
  expect(lastLine(root)).toBe('tests: 3 passed, 3 failed, 5 skipped');
});

test('no result at all is a failure, not nothing, even when an older one was there', () => {
  const root = createRoot('none', null);
  mkdirSync(join(root, '.cache'));
  writeFileSync(join(root, '.cache/jest-result.json'), JSON.stringify(fine));
  const { status, stdout } = verifyIn(root, ['some.test.ts']);
  expect(status).toBe(1);
  expect(stdout).toBe('tests: 0 passed, 1 failed, 0 skipped\n');
});

test('tests that all pass are exit code 0; no test that passed is not', () => {
  expect(verifyIn(createRoot('fine', fine), ['some.test.ts'])).toMatchObject({
    status: 0,
    stdout: 'tests: 3 passed, 0 failed, 0 skipped\n',
  });
  expect(verifyIn(createRoot('nothing', { ...fine, numPassedTests: 0 }), ['some.test.ts']).status).toBe(1);
});

test('--without a server is handed on to the tests, and not to jest', () => {
  const root = createRoot('without', fine);
  expect(verifyIn(root, ['--without', 'docker', 'some.test.ts']).status).toBe(0);
  expect(told(root).without).toBe('docker');
  expect(told(root).args.at(-1)).toBe('some.test.ts');
  expect(told(root).args).not.toContain('--without');
});

test.each([['--without', 'magic'], ['--without']])(
  'an unknown server is refused with exit code 2: %s %s',
  (...args) => {
    const { status, stderr } = verifyIn(createRoot(`unknown-${args.length}`, fine), args);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^holdfast: --without takes one of docker, caddy, not '.*'\n$/);
  },
);

test('CI may leave nothing out', () => {
  const { status, stderr } = verifyIn(createRoot('ci', fine), ['--without', 'docker'], { CI: 'true' });
  expect(status).toBe(2);
  expect(stderr).toBe('holdfast: CI runs every test: --without is refused\n');
});
