// @ts-check
// What this machine has. Plain JavaScript without packages: it is asked before there are any, and by the stack later.
import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const oldestNode = [20, 20];
const oldestGo = [1, 25];
export const oldestPostgres = 14;

/** The version of infra/temporal/go.mod: what is built where no Temporal can be found. */
export const builtTemporal = '1.5.1';

/**
 * All that is missing, at once; each with a way out.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} cache where servers that were built before are
 * @returns {Promise<{ what: string, advice: string }[]>}
 */
export async function missingPrerequisites(env, cache) {
  const missing = [];
  if (!atLeast(process.versions.node, oldestNode)) {
    missing.push({
      what: `Node.js 20.20 or newer (this is ${process.versions.node})`,
      advice: 'Install it from your system or from nodejs.org.',
    });
  }
  for (const name of ['npm', 'git']) {
    if ((await onPath(name, env['PATH'])) === null)
      missing.push({ what: name, advice: `Install the package \`${name}\`.` });
  }
  if (!env['TEMPORAL_ADDRESS'] && !(await hasTemporal(env, cache)) && (await findGo(env['PATH'])) === null) {
    missing.push({
      what: 'Go 1.25 or newer, to build Temporal',
      advice: 'Install Go from your system or from go.dev; or install the `temporal` command; or set TEMPORAL_ADDRESS.',
    });
  }
  if (
    !env['DATABASE_URL'] &&
    (await installedPostgres(env['PATH'])).length === 0 &&
    (await packageManager(env['PATH'])) === null
  ) {
    missing.push({
      what: `PostgreSQL ${oldestPostgres} or newer, and no right to install it`,
      advice: 'Install the package `postgresql`; or run this as root once; or set DATABASE_URL.',
    });
  }
  return missing;
}

/** @param {NodeJS.ProcessEnv} env @param {string} cache */
async function hasTemporal(env, cache) {
  const built = join(cache, `temporal-${builtTemporal}`, 'temporal');
  return (await onPath('temporal', env['PATH'])) !== null || (await firstExecutable([built])) !== null;
}

/** A Go that is new enough: on PATH, else in the usual places. @param {string} [path] @returns {Promise<string | null>} */
export async function findGo(path = process.env['PATH']) {
  const sdks = await readdir(join(homedir(), 'sdk')).catch(() => []);
  const packaged = await readdir('/usr/lib').catch(() => []);
  const first = await onPath('go', path);
  const candidates = [
    ...(first === null ? [] : [first]),
    '/usr/local/go/bin/go',
    join(homedir(), 'go/bin/go'),
    ...sdks.filter((name) => name.startsWith('go')).map((name) => join(homedir(), 'sdk', name, 'bin/go')),
    ...packaged.filter((name) => name.startsWith('go-')).map((name) => join('/usr/lib', name, 'bin/go')),
    '/snap/bin/go',
  ];
  for (const candidate of candidates) {
    if ((await firstExecutable([candidate])) === null) continue;
    // Its own version, not that of a toolchain it would fetch.
    const version = await versionOf([candidate, 'version'], /go(\d+\.\d+)/);
    if (version !== null && atLeast(version, oldestGo)) return candidate;
  }
  return null;
}

/**
 * PostgreSQL's server programs, newest first.
 * @param {string} [path]
 * @returns {Promise<{ bin: string, major: number }[]>}
 */
export async function installedPostgres(path = process.env['PATH']) {
  const pgConfig = await onPath('pg_config', path);
  const configured = pgConfig === null ? null : await versionOf([pgConfig, '--bindir'], /^(\S+)/);
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const server = await onPath('postgres', path);
  const folders = new Set([
    ...(configured === null ? [] : [configured]),
    ...versions.map((version) => join('/usr/lib/postgresql', version, 'bin')),
    ...(server === null ? [] : [dirname(server)]),
  ]);
  const found = [];
  for (const bin of folders) {
    if ((await firstExecutable([join(bin, 'initdb')])) === null) continue;
    const major = Number(await versionOf([join(bin, 'postgres'), '--version'], /\) (\d+)/));
    if (major >= oldestPostgres) found.push({ bin, major });
  }
  return found.sort((a, b) => b.major - a.major);
}

/**
 * How packages are installed here without a question: as root, or by a sudo that asks for no password.
 * @param {string} [path]
 * @returns {Promise<[string, ...string[]] | null>}
 */
export async function packageManager(path = process.env['PATH']) {
  const apt = await onPath('apt-get', path);
  if (apt === null) return null;
  if (process.getuid?.() === 0) return [apt];
  const sudo = await onPath('sudo', path);
  return sudo !== null && (await versionOf([sudo, '-n', 'true'], /()/)) !== null ? [sudo, '-n', apt] : null;
}

/** @param {string} name @param {string} [path] @returns {Promise<string | null>} */
export function onPath(name, path = process.env['PATH']) {
  const folders = (path ?? '').split(delimiter).filter((folder) => folder !== '');
  return firstExecutable(folders.map((folder) => join(folder, name)));
}

/** @param {string[]} paths @returns {Promise<string | null>} */
async function firstExecutable(paths) {
  for (const path of paths) {
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // not this one
    }
  }
  return null;
}

/**
 * What `pattern` finds in what the program prints; null when it fails or prints something else.
 * @param {[string, ...string[]]} argv
 * @param {RegExp} pattern
 * @returns {Promise<string | null>}
 */
export async function versionOf([file, ...args], pattern) {
  try {
    const { stdout, stderr } = await run(file, args, {
      timeout: 10_000,
      env: { ...process.env, GOTOOLCHAIN: 'local' },
    });
    return pattern.exec(stdout + stderr)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** @param {string} version @param {number[]} oldest */
function atLeast(version, [major = 0, minor = 0]) {
  const [hasMajor = 0, hasMinor = 0] = version.split('.').map(Number);
  return hasMajor > major || (hasMajor === major && hasMinor >= minor);
}
