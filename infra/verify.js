// @ts-check
// Every check there is, one after the other, beside the tests, which mostly wait; all are run, also when one fails.
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

// What a machine may lack and still test the rest. Temporal and Postgres are under nearly every test.
const servers = ['docker', 'caddy'];
const resultFile = '.cache/jest-result.json';

/** @type {[string, string[]][]} */
const checks = [
  ['format', ['prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.']],
  ['lint', ['eslint/bin/eslint.js', '.']],
  ['types', ['typescript/bin/tsc', '-p', '.']],
  ['unused code', ['knip/bin/knip.js', '--no-progress']],
];

/**
 * The exit code: 0 only when every check of these names and every test passed, and there were tests. With arguments for jest,
 * only jest.
 * @param {string} root
 * @param {string[]} args
 * @param {readonly string[]} names
 * @returns {Promise<number>}
 */
export async function verify(root, args, names = checks.map(([name]) => name)) {
  const { without, rest, problem } = readArguments(args);
  if (problem !== null) {
    process.stderr.write(`holdfast: ${problem}\n`);
    return 2;
  }
  const ours = rest.length > 0 ? [] : checks.filter(([name]) => names.includes(name));
  const [failed, tested] = await Promise.all([failedChecks(root, ours), test(root, rest, without)]);
  if (!tested) failed.push('tests');
  if (failed.length > 0) process.stderr.write(`failed: ${failed.join(', ')}\n`);
  console.log(lastLine(root));
  return failed.length === 0 && counts(root).passed > 0 ? 0 : 1;
}

/** @param {string} root @param {typeof checks} ours */
async function failedChecks(root, ours) {
  const failed = [];
  for (const check of ours) if (!(await passes(root, check))) failed.push(check[0]);
  return failed;
}

/** @param {string} root @param {string[]} rest @param {string[]} without @returns {Promise<boolean>} */
async function test(root, rest, without) {
  rmSync(join(root, resultFile), { force: true });
  mkdirSync(join(root, '.cache'), { recursive: true });
  const jest = ['node_modules/jest/bin/jest.js', '--json', `--outputFile=${resultFile}`, ...rest];
  const since = performance.now();
  const child = spawn(process.execPath, jest, {
    cwd: root,
    // jest prints its report on stderr; with --json stdout is the result, which is in the file.
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, HOLDFAST_TEST_WITHOUT: without.join(',') },
  });
  const passed = await new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', (status) => resolve(status === 0));
  });
  say(passed, 'tests', since);
  return passed;
}

/** Computed from jest's own result. @param {string} root */
export function lastLine(root) {
  const { passed, failed, skipped } = counts(root);
  return `tests: ${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** A suite that could not run counts as one failed test: it is not nothing. @param {string} root */
function counts(root) {
  const path = join(root, resultFile);
  if (!existsSync(path)) return { passed: 0, failed: 1, skipped: 0 };
  const result = JSON.parse(readFileSync(path, 'utf8'));
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** @param {string} root @param {[string, string[]]} check @returns {Promise<boolean>} */
async function passes(root, [name, [script = '', ...args]]) {
  const since = performance.now();
  const said = { cwd: root, maxBuffer: 67_108_864 };
  return new Promise((resolve) => {
    execFile(process.execPath, [join('node_modules', script), ...args], said, (error, stdout, stderr) => {
      say(error === null, name, since);
      if (error !== null) process.stderr.write(`${stdout}${stderr}\n`);
      resolve(error === null);
    });
  });
}

/** @param {string[]} args */
function readArguments(args) {
  /** @type {string[]} */
  const without = [];
  const rest = [];
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === '--without') without.push(args[(i += 1)] ?? '');
    else rest.push(args[i] ?? '');
  }
  const unknown = without.find((name) => !servers.includes(name));
  let problem = null;
  if (unknown !== undefined) problem = `--without takes one of ${servers.join(', ')}, not '${unknown}'`;
  else if (without.length > 0 && process.env['CI'] === 'true') problem = 'CI runs every test: --without is refused';
  return { without, rest, problem };
}

/** @param {boolean} good @param {string} name @param {number} since */
function say(good, name, since) {
  process.stderr.write(`  ${good ? '✓' : '✗'} ${name} (${((performance.now() - since) / 1000).toFixed(1)} s)\n`);
}
