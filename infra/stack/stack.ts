import type { QdrantServer } from '../../adapters/qdrant/connect.ts';
import { apiUrl } from '../api-url.ts';
import type { Config } from '../config.ts';
import { forgetAddresses, publishAddresses, type StackAddresses } from './addresses.ts';
import { apps as allApps, startApps, type Servers } from './apps.ts';
import { prepareDownloads, type Downloads } from './download/downloads.ts';
import { ensureFirstToken, type FirstToken } from './first-token.ts';
import { prepareHome, type Home } from './home.ts';
import { prepareModel } from './model/prepare.ts';
import { reservePorts, type ReservedPorts } from './ports.ts';
import { ownServer, postgresUrl, readyPostgres } from './postgres/postgres.ts';
import { findPostgres } from './postgres/ways.ts';
import { ownQdrant, qdrantSetup, readyQdrant, versionNotice } from './qdrant/qdrant.ts';
import { findQdrantPart } from './qdrant/ways.ts';
import type { Report } from './report.ts';
import { StackError, together } from './stack-error.ts';
import type { Supervised } from './supervised.ts';
import { takeSupervision, type Supervision } from './supervision.ts';
import { hasItsPort, readyTemporal, temporalPart } from './temporal/temporal.ts';
import { findOrBuildTemporal } from './temporal/program.ts';
import { images } from './download/upstream.ts';

export interface Stack extends StackAddresses {
  readonly home: Home;
  readonly database_url: string;
  readonly qdrant: QdrantServer;
  /** What was started, by name, and its process now. */
  readonly parts: readonly Supervised[];
  /** null: without the API there is nothing that it would open. */
  readonly token: FirstToken | null;
  /** Stops what was started here, in order, and nothing else: deployed services live on. */
  stop(): Promise<void>;
}

const serverTimeoutMs = 60_000;
const givenTimeoutMs = 5_000;

export interface BeforeApps {
  readonly config: Config;
  readonly home: Home;
  readonly servers: Servers;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export interface StackOptions {
  /** Also the worker and the API. */
  readonly apps: boolean;
  /** With the servers up, and before anything of ours runs. */
  readonly beforeApps?: (at: BeforeApps) => Promise<void>;
  /** Ends a start that is under way. */
  readonly signal: AbortSignal;
}

/**
 * Finds or starts the servers, and with `apps` the worker and the API, and keeps all of them alive. Throws StackError, or
 * AlreadyRunning, after stopping whatever it had started.
 */
export async function startStack(
  config: Config,
  report: Report,
  { apps, beforeApps, signal }: StackOptions,
): Promise<Stack> {
  const home = await report.step(
    'data folder',
    () => prepareHome(config),
    ({ root }) => root,
  );
  const say = (line: string): void => report.say(line);
  const supervision = await takeSupervision(home, say);
  const stop = async (): Promise<void> => {
    await supervision.stop();
    await forgetAddresses(home);
  };
  let reserved: ReservedPorts | null = null;
  try {
    await forgetAddresses(home);
    reserved = await reservePorts(home, { ...config.ports, api: config.api.port }, say);
    const { ports } = reserved;
    const downloads = prepareDownloads({ enabled: config.downloads, cache: config.cache, say, signal });
    const servers = await startServers({ config, home, reserved, downloads, supervision, report, signal });
    await beforeApps?.({ config, home, servers, report, signal });
    const modelFolder = apps ? await prepareModel(config, home.root, downloads, report) : null;
    const starting = { config, home, servers, modelFolder, supervision, report, signal, which: allApps };
    const token = apps ? await ensureFirstToken(home, servers.database_url, config.postgres.database) : null;
    await reserved.free('api');
    const addresses = apps
      ? await startApps({ ...starting, api: { url: apiUrl(config, ports.api), port: ports.api } })
      : { ...servers, api_url: null };
    await publishAddresses(home, addresses);
    return { ...servers, ...addresses, home, parts: supervision.parts, token, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    await reserved?.freeAll();
  }
}

interface Starting {
  readonly config: Config;
  readonly home: Home;
  readonly reserved: ReservedPorts;
  readonly downloads: Downloads;
  readonly supervision: Supervision;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** A server that was found, and is started when all of them were. */
interface Prepared<T> {
  readonly at: T;
  /** null: it is somebody else's, and answers. */
  readonly start: (() => Promise<void>) | null;
}

/** Nothing is started before everything was found, so that all that is missing is said at once. */
async function startServers(starting: Starting) {
  const problems: StackError[] = [];
  const attempt = async <T>(prepare: (starting: Starting) => Promise<T>): Promise<T | null> => {
    try {
      return await prepare(starting);
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      problems.push(error);
      return null;
    }
  };
  const postgres = await attempt(preparePostgres);
  const temporal = await attempt(prepareTemporal);
  const qdrant = await attempt(prepareQdrant);
  if (postgres === null || temporal === null || qdrant === null) throw together(problems);
  for (const { start } of [postgres, temporal, qdrant]) await start?.();
  return { database_url: postgres.at, ...temporal.at, qdrant: qdrant.at };
}

async function preparePostgres(starting: Starting): Promise<Prepared<string>> {
  const { config, home, reserved, downloads, supervision, report, signal } = starting;
  const { ports } = reserved;
  const { url: given, database } = config.postgres;
  if (given !== null) {
    await report.step(
      'Postgres',
      () => readyPostgres(given, database, { timeoutMs: givenTimeoutMs, signal }),
      () => 'DATABASE_URL',
    );
    return { at: given, start: null };
  }
  const search = { home, port: ports.postgres, image: images.postgres, dockerHost: config.dockerHost };
  const { part, origin } = await findPostgres({ ...search, mayPull: downloads.enabled, say: downloads.say, signal });
  const url = await postgresUrl(home, ports.postgres);
  const up = async (): Promise<void> => {
    await reserved.free('postgres');
    await supervision.start(part);
    await readyPostgres(url, database, { timeoutMs: serverTimeoutMs, signal }, ownServer(home));
  };
  return { at: url, start: () => report.step('Postgres', up, () => `${origin}, port ${ports.postgres}`) };
}

type TemporalAddresses = Pick<StackAddresses, 'temporal_address' | 'temporal_ui'>;

async function prepareTemporal(starting: Starting): Promise<Prepared<TemporalAddresses>> {
  const { config, home, reserved, downloads, supervision, report, signal } = starting;
  const { ports } = reserved;
  const { address: given, namespace, uiUrl } = config.temporal;
  if (given !== null) {
    await report.step(
      'Temporal',
      () => readyTemporal({ ...config.temporal, address: given }, namespace, { timeoutMs: givenTimeoutMs, signal }),
      () => given,
    );
    return { at: { temporal_address: given, temporal_ui: uiUrl }, start: null };
  }
  const { path, origin } = await findOrBuildTemporal(downloads);
  const address = `127.0.0.1:${ports.temporal}`;
  const up = async (): Promise<void> => {
    await reserved.free('temporal', 'temporal_ui');
    const part = await supervision.start(temporalPart(home, path, ports, namespace));
    const isThere = (): boolean => hasItsPort(part, ports.temporal);
    await readyTemporal({ address }, namespace, { timeoutMs: serverTimeoutMs, signal }, isThere);
  };
  return {
    at: { temporal_address: address, temporal_ui: uiUrl ?? `http://127.0.0.1:${ports.temporal_ui}` },
    start: () => report.step('Temporal', up, () => `${origin}, port ${ports.temporal}`),
  };
}

async function prepareQdrant(starting: Starting): Promise<Prepared<QdrantServer>> {
  const { config, home, reserved, downloads, supervision, report, signal } = starting;
  const { ports } = reserved;
  const { url: given, apiKey } = config.qdrant;
  if (given !== null) {
    const at = { url: given, apiKey };
    const version = await report.step(
      'Qdrant',
      () => readyQdrant(at, { timeoutMs: givenTimeoutMs, signal }),
      (answered) => `QDRANT_URL, version ${answered}`,
    );
    const notice = versionNotice(given, version);
    if (notice !== null) report.say(notice);
    return { at, start: null };
  }
  const setup = await qdrantSetup(home, ports.qdrant);
  const { part, origin } = await findQdrantPart({ setup, dockerHost: config.dockerHost, downloads });
  const at = { url: `http://127.0.0.1:${ports.qdrant}`, apiKey: setup.apiKey };
  const up = async (): Promise<void> => {
    await reserved.free('qdrant');
    await supervision.start(part);
    await readyQdrant(at, { timeoutMs: serverTimeoutMs, signal }, ownQdrant(setup));
  };
  return { at, start: () => report.step('Qdrant', up, () => `${origin}, port ${ports.qdrant}`) };
}
