import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { healthSchema } from '../../domain/health.ts';
import type { Config } from '../config.ts';
import { packageRoot } from '../package-root.ts';
import { prepareHome, writeAtomically, type Home } from './home.ts';
import { choosePorts, type Ports } from './ports.ts';
import { ownServer, postgresPart, postgresUrl, readyPostgres } from './postgres.ts';
import { findOrInstallPostgres } from './postgres-programs.ts';
import { stopLeftovers } from './process-record.ts';
import type { Report } from './report.ts';
import { StackError } from './stack-error.ts';
import { supervise, type Part, type Supervised } from './supervised.ts';
import { claimSupervision } from './supervisor-lock.ts';
import { readyTemporal, temporalPart } from './temporal.ts';
import { findOrBuildTemporal } from './temporal-program.ts';

/** Where everything is. Also what the command line reads, from run/stack.json. */
export interface StackAddresses {
  readonly api_url: string | null;
  readonly temporal_address: string;
  readonly temporal_ui: string | null;
}

export interface Stack extends StackAddresses {
  readonly home: Home;
  readonly database_url: string;
  /** What was started, by name, and its process now. */
  readonly parts: readonly Supervised[];
  /** Stops what was started here, in order, and nothing else: deployed services live on. */
  stop(): Promise<void>;
}

const serverTimeoutMs = 60_000;
const appTimeoutMs = 60_000;

export interface StackOptions {
  /** Also the worker and the API. */
  readonly apps: boolean;
  /** Ends a start that is under way. */
  readonly signal: AbortSignal;
}

/**
 * Finds or starts the servers, and with `apps` the worker and the API, and keeps all of them alive. Throws StackError, or
 * AlreadyRunning, after stopping whatever it had started.
 */
export async function startStack(config: Config, report: Report, { apps, signal }: StackOptions): Promise<Stack> {
  const home = await report.step(
    'data folder',
    () => prepareHome(config),
    ({ root }) => root,
  );
  const release = await claimSupervision(home);
  const addressesPath = join(home.run, 'stack.json');
  const parts: Supervised[] = [];
  const stop = async (): Promise<void> => {
    for (const part of parts.splice(0).reverse()) await part.stop();
    await rm(addressesPath, { force: true });
    await release();
  };
  try {
    // What a killed one said may not be so again.
    await rm(addressesPath, { force: true });
    const left = await stopLeftovers(home);
    if (left.length > 0) report.say(`stopped what an earlier run had left: ${left.join(', ')}`);
    const ports = await choosePorts(home, { ...config.ports, api: config.api.port }, (line) => report.say(line));
    const start = async (part: Part): Promise<void> => {
      parts.push(await supervise(home, part, (line) => report.say(line)));
    };
    const starting: Starting = { config, home, ports, start, report, signal };
    const database_url = await startPostgres(starting);
    const temporal = await startTemporal(starting);
    const addresses: StackAddresses = { ...temporal, api_url: apps ? urlOf(config, ports) : null };
    const stack: Stack = { ...addresses, home, database_url, parts, stop };
    if (apps) await startApps(starting, stack);
    await writeAtomically(addressesPath, JSON.stringify(addresses));
    return stack;
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Starting {
  readonly config: Config;
  readonly home: Home;
  readonly ports: Ports;
  readonly start: (part: Part) => Promise<void>;
  readonly report: Report;
  readonly signal: AbortSignal;
}

async function startPostgres({ config, home, ports, start, report, signal }: Starting): Promise<string> {
  const { url: given, database } = config.postgres;
  if (given !== null) {
    await report.step(
      'Postgres',
      () => readyPostgres(given, database, { timeoutMs: 5_000, signal }),
      () => 'DATABASE_URL',
    );
    return given;
  }
  const programs = await findOrInstallPostgres(home.path('pg', 'data'), (line) => report.say(line));
  const url = await postgresUrl(home, ports.postgres);
  const up = async (): Promise<void> => {
    await start(await postgresPart(home, programs, ports.postgres));
    await readyPostgres(url, database, { timeoutMs: serverTimeoutMs, signal }, ownServer(home));
  };
  await report.step('Postgres', up, () => `${programs.major}, ${programs.bin}, port ${ports.postgres}`);
  return url;
}

async function startTemporal({
  config,
  home,
  ports,
  start,
  report,
  signal,
}: Starting): Promise<Pick<StackAddresses, 'temporal_address' | 'temporal_ui'>> {
  const { address: given, namespace, uiUrl } = config.temporal;
  if (given !== null) {
    await report.step(
      'Temporal',
      () => readyTemporal(given, namespace, { timeoutMs: 5_000, signal }),
      () => given,
    );
    return { temporal_address: given, temporal_ui: uiUrl };
  }
  const temporal_address = `127.0.0.1:${ports.temporal}`;
  const up = async (): Promise<string> => {
    const program = await findOrBuildTemporal(config.cache, (line) => report.say(line), signal);
    await start(temporalPart(home, program.path, ports, namespace));
    await readyTemporal(temporal_address, namespace, { timeoutMs: serverTimeoutMs, signal });
    return program.origin;
  };
  await report.step('Temporal', up, (origin) => `${origin}, port ${ports.temporal}`);
  return { temporal_address, temporal_ui: uiUrl ?? `http://127.0.0.1:${ports.temporal_ui}` };
}

async function startApps({ config, ports, start, report, signal }: Starting, stack: Stack): Promise<void> {
  const env = {
    ...process.env,
    HOLDFAST_HOME: stack.home.root,
    HOLDFAST_CACHE: config.cache,
    HOLDFAST_BOX: stack.home.box,
    HOLDFAST_DATABASE: config.postgres.database,
    HOLDFAST_API_HOST: config.api.host,
    HOLDFAST_API_PORT: String(ports.api),
    HOLDFAST_TEMPORAL_UI: stack.temporal_ui ?? '',
    TEMPORAL_ADDRESS: stack.temporal_address,
    TEMPORAL_NAMESPACE: config.temporal.namespace,
    DATABASE_URL: stack.database_url,
  };
  const app = (name: string, script: string): Part => ({
    name,
    argv: [process.execPath, join(packageRoot, 'dist', script)],
    env,
    stopSignal: 'SIGTERM',
  });
  await report.step('worker and API', async () => {
    await start(app('worker', 'workers/main.js'));
    await start(app('api', 'api/main.js'));
    await readyApps(stack, signal);
  });
}

/** Ready when the API says that everything behind it answers, the worker too. */
async function readyApps({ api_url, home }: Stack, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + appTimeoutMs;
  let seen = 'the API does not answer';
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    const health = await fetch(`${api_url ?? ''}/health`)
      .then(async (response) => healthSchema.parse(await response.json()))
      .catch(() => null);
    if (health?.status === 'ok') return;
    const missing = Object.entries(health?.servers ?? {}).filter(([, { state }]) => state !== 'ok');
    if (missing.length > 0)
      seen = missing.map(([name, { reason }]) => `${name}: ${reason ?? 'unavailable'}`).join('; ');
    await sleep(100);
  }
  throw new StackError(`The worker and the API did not get ready: ${seen}`, `See the logs in ${home.logs}`);
}

function urlOf(config: Config, ports: Ports): string {
  const host = config.api.host === '0.0.0.0' || config.api.host === '::' ? '127.0.0.1' : config.api.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${ports.api}`;
}
