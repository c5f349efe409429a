import { mkdir } from 'node:fs/promises';
import type { QdrantServer } from '../../adapters/qdrant/connect.ts';
import { apiUrl } from '../api-url.ts';
import { ConfigError, type Config } from '../config.ts';
import { forgetAddresses, publishAddresses } from './addresses.ts';
import { apps, startApps, type App, type Servers } from './apps.ts';
import { prepareDownloads } from './download/downloads.ts';
import { ensureFirstToken } from './first-token.ts';
import { prepareHome, type Home } from './home.ts';
import { prepareModel } from './model/prepare.ts';
import { mustBeFree } from './ports.ts';
import { readyPostgres } from './postgres/postgres.ts';
import { readyQdrant, versionNotice } from './qdrant/qdrant.ts';
import type { Report } from './report.ts';
import type { Stack } from './stack.ts';
import { StackError, together } from './stack-error.ts';
import { takeSupervision } from './supervision.ts';
import { readyTemporal } from './temporal/temporal.ts';

export interface ExternalOptions {
  /** null: both. */
  readonly only: App | null;
  /** How long a server may take until it answers. Whoever starts us tries again later. */
  readonly patienceMs?: number;
  readonly signal: AbortSignal;
}

const usualPatienceMs = 30_000;

/**
 * The worker and the API, or one of them, over servers that somebody else runs: none is started here. Throws ConfigError when
 * an address is missing, StackError when a server does not answer, AlreadyRunning.
 */
export async function startExternal(config: Config, report: Report, options: ExternalOptions): Promise<Stack> {
  const { only, signal, patienceMs = usualPatienceMs } = options;
  const servers = givenServers(config);
  const which = only === null ? apps : [only];
  const hasApi = which.includes('api');
  const home = await report.step(
    'data folder',
    () => prepareHome(config),
    ({ root }) => root,
  );
  const supervision = await takeSupervision(await ownClaim(home, only), (line) => report.say(line));
  const stop = async (): Promise<void> => {
    await supervision.stop();
    if (hasApi) await forgetAddresses(home);
  };
  try {
    if (hasApi) await mustBeFree(config.api.host, config.api.port);
    await answering(config, servers, report, { timeoutMs: patienceMs, signal });
    const api = { url: apiUrl(config, config.api.port), port: config.api.port };
    const token = hasApi ? await ensureFirstToken(home, servers.database_url, config.postgres.database) : null;
    const say = (line: string): void => report.say(line);
    const downloads = prepareDownloads({ enabled: config.downloads, cache: config.cache, say, signal });
    const modelFolder = await prepareModel(config, home.root, downloads, report);
    const starting = { config, home, servers, modelFolder, api, which, output: 'ours' as const };
    const addresses = await startApps({ ...starting, supervision, report, signal });
    if (hasApi) await publishAddresses(home, addresses);
    return { ...servers, ...addresses, home, parts: supervision.parts, token, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function givenServers({ temporal, postgres, qdrant }: Config): Servers {
  const given = { TEMPORAL_ADDRESS: temporal.address, DATABASE_URL: postgres.url, QDRANT_URL: qdrant.url };
  const missing = Object.entries(given).filter(([, value]) => value === null);
  const { TEMPORAL_ADDRESS: temporal_address, DATABASE_URL: database_url, QDRANT_URL: url } = given;
  if (temporal_address === null || database_url === null || url === null) {
    const names = missing.map(([name]) => name).join(', ');
    throw new ConfigError(`--external starts no server, and it is not said where they are: set ${names}`);
  }
  return { temporal_address, temporal_ui: temporal.uiUrl, database_url, qdrant: { url, apiKey: qdrant.apiKey } };
}

/** Side by side, one wait for all of them. */
async function answering(
  config: Config,
  { database_url, temporal_address, qdrant }: Servers,
  report: Report,
  patience: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const { namespace } = config.temporal;
  const looks = await Promise.allSettled([
    report.step('Postgres', () => readyPostgres(database_url, config.postgres.database, patience)),
    report.step('Temporal', () =>
      readyTemporal({ ...config.temporal, address: temporal_address }, namespace, patience),
    ),
    report.step('Qdrant', () => answeringQdrant(qdrant, report, patience)),
  ]);
  const reasons = looks.flatMap((look): unknown[] => (look.status === 'rejected' ? [look.reason] : []));
  const problems = reasons.filter((reason) => reason instanceof StackError);
  if (problems.length < reasons.length) throw reasons.find((reason) => !(reason instanceof StackError));
  if (problems.length > 0) throw together(problems);
}

async function answeringQdrant(
  qdrant: QdrantServer,
  report: Report,
  patience: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const notice = versionNotice(qdrant.url, await readyQdrant(qdrant, patience));
  if (notice !== null) report.say(notice);
}

/** The API alone and the worker alone share a data folder, each with a supervisor of its own. */
async function ownClaim(home: Home, only: App | null): Promise<Home> {
  if (only === null) return home;
  const run = home.path('run', only);
  await mkdir(run, { recursive: true, mode: 0o700 });
  return { ...home, run };
}
