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
/** The minor versions of Python 3 that infra/qdrant/requirements.txt has packages for, the usual ones first. */
const pythonMinors = [13, 12, 11, 14, 10];
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
  return [...missing, ...(await missingForServers(env, cache))];
}

/**
 * What the servers need that the stack would start. Where a download or a container may do instead, only the stack can tell:
 * it tries all of them, and names what is missing for all of them at once.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} cache
 */
async function missingForServers(env, cache) {
  const missing = [];
  const path = env['PATH'];
  const downloads = env['HOLDFAST_DOWNLOADS'] !== 'off';
  const docker = await hasDocker(env);
  if (!downloads && !env['TEMPORAL_ADDRESS'] && !(await hasProgram('temporal', env, cache))) {
    if ((await findGo(path)) === null) missing.push(need.go);
  }
  if (!given(env, 'DATABASE_URL') && !docker && (await installedPostgres(path)).length === 0) {
    if ((await packageManager(path)) === null) missing.push(need.postgres);
  }
  if (!downloads && !docker && !env['QDRANT_URL'] && !(await hasProgram('qdrant', env, cache))) {
    const python = await findPython(path);
    if (python?.hasVenv !== true && (await packageManager(path)) === null) missing.push(need.python);
  }
  return missing;
}

const need = {
  go: {
    what: 'Go 1.25 or newer, to build Temporal',
    advice: 'Install Go from your system or from go.dev; or install the `temporal` command; or set TEMPORAL_ADDRESS.',
  },
  postgres: {
    what: `PostgreSQL ${oldestPostgres} or newer, and no right to install it`,
    advice: 'Install the package `postgresql`; or run this as root once; or set DATABASE_URL.',
  },
  python: {
    what: 'Python 3.10 or newer with venv, for the embedded Qdrant',
    advice: 'Install the packages `python3` and `python3-venv`; or install the `qdrant` command; or set QDRANT_URL.',
  },
};

/** Set, or to be read from a file. @param {NodeJS.ProcessEnv} env @param {string} name */
function given(env, name) {
  return Boolean(env[name] || env[`${name}_FILE`]);
}

/** On PATH, or in the cache in any version. @param {string} name @param {NodeJS.ProcessEnv} env @param {string} cache */
async function hasProgram(name, env, cache) {
  const folders = (await readdir(cache).catch(() => [])).filter((folder) => folder.startsWith(`${name}-`));
  const cached = folders.map((folder) => join(cache, folder, name));
  return (await onPath(name, env['PATH'])) !== null || (await firstExecutable(cached)) !== null;
}

/** A socket of Docker's that we may open. @param {NodeJS.ProcessEnv} env */
async function hasDocker(env) {
  const host = env['DOCKER_HOST'] || 'unix:///var/run/docker.sock';
  if (!host.startsWith('unix://')) return true;
  return access(host.slice('unix://'.length), constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** @typedef {{ path: string, version: string, hasVenv: boolean }} Python */

/**
 * A Python that the packages of the embedded Qdrant are for: the first with venv, on PATH or in the usual places, else one
 * without. `path` is the program itself, where what is on PATH only leads to one.
 * @param {string} [path]
 * @returns {Promise<Python | null>}
 */
export async function findPython(path = process.env['PATH']) {
  const names = ['python3', 'python', ...pythonMinors.map((minor) => `python3.${minor}`)];
  const first = await Promise.all(names.map((name) => onPath(name, path)));
  const usual = ['/usr/bin', '/usr/local/bin'].flatMap((folder) => names.map((name) => join(folder, name)));
  const tell = `import sys
try:
  import ensurepip, venv
  print('Python %d.%d venv %s' % (sys.version_info[:2] + (sys.executable,)))
except ImportError:
  print('Python %d.%d none %s' % (sys.version_info[:2] + (sys.executable,)))`;
  let withoutVenv = null;
  for (const candidate of new Set([...first, ...usual])) {
    if (candidate === null || (await firstExecutable([candidate])) === null) continue;
    const said = await versionOf([candidate, '-c', tell], /^Python (3\.\d+ \w+ \/.+)$/m);
    const [version = '', venv = '', ...program] = (said ?? '').split(' ');
    if (!pythonMinors.includes(Number(version.split('.')[1]))) continue;
    const python = { path: program.join(' '), version, hasVenv: venv === 'venv' };
    if (python.hasVenv) return python;
    withoutVenv ??= python;
  }
  return withoutVenv;
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
