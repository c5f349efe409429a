// @ts-check
// Everything from a fresh clone to a running command: plain JavaScript, no packages, because there are none yet.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { missingPrerequisites } from './stack/prerequisites.js';
import { lastLine, verify } from './verify.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = 'node_modules/typescript/bin/tsc';
const sources = ['domain', 'adapters', 'activities', 'workflows', 'workers', 'api', 'cli', 'infra', 'bench'];

const benches = ['backup', 'deploy', 'embed', 'qdrant', 'wave'];

/** @type {Record<string, (args: string[]) => number | Promise<number>>} */
const commands = {
  prepare: async () => {
    await prepare();
    return 0;
  },
  // Of packages that are there already: in a container, where no server is needed.
  build: async () => {
    await build();
    return 0;
  },
  start: async (args) => {
    await prepare();
    return run([process.execPath, 'dist/cli/main.js', 'up', ...args]);
  },
  demo: async (args) => {
    await prepare();
    return run([process.execPath, 'dist/infra/demo/main.js', ...args]);
  },
  test: async (args) => {
    await prepare();
    // How the code looks is checked before a commit, by `verify`: it takes as long as a tenth of the tests.
    return verify(root, args, ['types']);
  },
  verify: async (args) => {
    await build();
    return verify(root, args);
  },
  proof: async (args) => {
    await prepare();
    return run([process.execPath, 'dist/bench/proof.js', ...args]);
  },
  bench: async ([name = '', ...args]) => {
    if (!benches.includes(name)) throw new SetupError(`A benchmark of ${benches.join(' or ')}, not '${name}'`, '', 2);
    await prepare();
    return run([process.execPath, `dist/bench/${name}.js`, ...args]);
  },
  count: () => {
    console.log(lastLine(root));
    return 0;
  },
};

async function main() {
  const [name = '', ...args] = process.argv.slice(2);
  const command = commands[name];
  if (command === undefined) throw new SetupError(`Not one of ${Object.keys(commands).join(', ')}: ${name}`, '', 2);
  process.exitCode = await command(args);
}

async function prepare() {
  const missing = await missingPrerequisites(process.env, cacheFolder(process.env));
  if (missing.length > 0) {
    const list = missing.map(({ what, advice }) => `  - ${what}\n    ${advice}`).join('\n');
    throw new SetupError(`Missing:\n${list}`, 'Then run the same command again.');
  }
  step('packages', installPackages);
  await build();
}

/** @returns {string} */
function installPackages() {
  const stamp = join(root, 'node_modules/.holdfast-installed');
  const wanted = hash([join(root, 'package-lock.json')]) + ` node ${process.versions.modules}`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return 'there already';
  process.stderr.write('    installing the packages that package-lock.json names\n');
  const { status, stderr } = spawnSync('npm', ['ci', '--no-progress', '--loglevel=error'], {
    cwd: root,
    // Else a runtime for graphics cards would be downloaded.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (status !== 0) {
    const network = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|network/.test(stderr);
    if (/ENOSPC/.test(stderr))
      throw new SetupError('The disk is full while installing packages', 'Make room, then run the same command again.');
    throw new SetupError(
      network ? 'The packages could not be had: there is no network' : `npm ci failed:\n${stderr.trim()}`,
      network
        ? 'Run it once with a network; or set npm_config_registry to a mirror, or npm_config_cache to a cache that has them.'
        : 'Run `npm ci` to see more.',
    );
  }
  // Last, so that an installation that was interrupted is done again.
  writeFileSync(stamp, wanted);
  return 'installed';
}

async function build() {
  const stamp = join(root, 'dist/.built');
  const wanted = `${contentHash()} ${gitState()}`;
  await stepAsync('build', async () => {
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return 'there already';
    // Beside, then in its place: a worker that runs from dist/ never sees half of a new build.
    const fresh = freshFolder();
    const { status, stdout } = spawnSync(
      process.execPath,
      // Its memory lies with what it made: a build that was interrupted leaves nothing that the next one would trust. Types
      // are looked at by the checks: here they would take two thirds of the time, before each first start.
      [
        tsc,
        '-p',
        'tsconfig.build.json',
        '--noCheck',
        '--outDir',
        fresh,
        '--tsBuildInfoFile',
        join(fresh, '.tsbuildinfo'),
      ],
      { cwd: root, encoding: 'utf8' },
    );
    if (status !== 0) throw new SetupError(`The build failed:\n${stdout.trim()}`, '');
    const { bundleWorkflowCode } = await import(
      pathToFileURL(join(root, 'node_modules/@temporalio/worker/lib/index.js')).href
    );
    const quiet = { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error, log() {} };
    const { code } = await bundleWorkflowCode({ workflowsPath: join(fresh, 'workflows/index.js'), logger: quiet });
    writeFileSync(join(fresh, 'workflow-bundle.js'), code);
    chmodSync(join(fresh, 'cli/main.js'), 0o755);
    writeFileSync(join(fresh, 'build-info.json'), `${JSON.stringify(buildInfo())}\n`);
    writeFileSync(join(fresh, '.built'), wanted);
    putInPlace(fresh);
    return 'done';
  });
}

/** One a process, so that two commands at once do not build into each other; what killed ones left goes. */
function freshFolder() {
  const cache = join(root, '.cache');
  mkdirSync(cache, { recursive: true });
  for (const name of readdirSync(cache)) {
    const pid = /^dist-(\d+)/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(cache, name), { recursive: true, force: true });
  }
  const fresh = join(cache, `dist-${process.pid}`);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh);
  return fresh;
}

/** @param {string} fresh */
function putInPlace(fresh) {
  const dist = join(root, 'dist');
  const old = `${fresh}-old`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (existsSync(dist)) renameSync(dist, old);
      renameSync(fresh, dist);
      break;
    } catch (error) {
      // Another command put its own there in this moment.
      if (attempt === 5) throw error;
    } finally {
      rmSync(old, { recursive: true, force: true });
    }
  }
}

function buildInfo() {
  return {
    build_sha: gitState(),
    build_time: new Date().toISOString(),
    build_branch: git('rev-parse', '--abbrev-ref', 'HEAD') || 'unknown',
  };
}

/** The commit that this is, and whether it is that commit exactly. */
function gitState() {
  const sha = git('rev-parse', 'HEAD');
  if (sha === '') return 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') === '' ? sha : `${sha}-dirty`;
}

/** @param {string[]} args */
function git(...args) {
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : '';
}

function contentHash() {
  const files = sources
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.[jt]s$/.test(name))
        .map((name) => join(root, folder, name)),
    );
  const more = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) => join(root, name));
  return hash([...files.sort(), ...more]);
}

/** @param {string[]} paths */
function hash(paths) {
  const sum = createHash('sha256');
  for (const path of paths) sum.update(path.slice(root.length)).update('\0').update(readFileSync(path)).update('\0');
  return sum.digest('hex');
}

/** Runs it in the foreground, and hands on what would end us: it stops in order. @param {string[]} argv @returns {Promise<number>} */
function run([file = '', ...args]) {
  const child = spawn(file, args, { cwd: root, stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

/** As infra/config.ts has it. @param {NodeJS.ProcessEnv} env */
function cacheFolder(env) {
  const usual = process.getuid?.() === 0 ? '/var/lib/holdfast' : join(homedir(), '.holdfast');
  return env['HOLDFAST_CACHE'] || join(env['HOLDFAST_HOME'] || usual, 'cache');
}

/** @param {string} name @param {() => string} work */
function step(name, work) {
  const since = performance.now();
  say(name, work(), since);
}

/** @param {string} name @param {() => Promise<string>} work */
async function stepAsync(name, work) {
  const since = performance.now();
  say(name, await work(), since);
}

/** @param {string} name @param {string} result @param {number} since */
function say(name, result, since) {
  process.stderr.write(`  ✓ ${name}: ${result} (${((performance.now() - since) / 1000).toFixed(1)} s)\n`);
}

class SetupError extends Error {
  /** @param {string} message @param {string} advice @param {number} exitCode */
  constructor(message, advice, exitCode = 1) {
    super(message);
    this.advice = advice;
    this.exitCode = exitCode;
  }
}

main().catch((error) => {
  process.stderr.write(`holdfast: ${error instanceof SetupError ? error.message : (error.stack ?? error)}\n`);
  if (error instanceof SetupError && error.advice !== '') process.stderr.write(`next: ${error.advice}\n`);
  process.exitCode = error instanceof SetupError ? error.exitCode : 1;
});
