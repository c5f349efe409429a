import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { QdrantServer } from '../../adapters/qdrant/connect.ts';
import { connectTemporal } from '../../adapters/temporal/connect.ts';
import { pollersOf } from '../../adapters/temporal/pollers.ts';
import { mainTaskQueue } from '../../domain/task-queue.ts';
import { healthSchema } from '../../domain/health.ts';
import { secretVariables, type Config } from '../config.ts';
import { packageRoot } from '../package-root.ts';
import type { StackAddresses } from './addresses.ts';
import type { Home } from './home.ts';
import type { Report } from './report.ts';
import { StackError } from './stack-error.ts';
import type { Supervision } from './supervision.ts';
import type { Part } from './supervised.ts';

export const apps = ['worker', 'api'] as const;
export type App = (typeof apps)[number];

/** The servers that the applications work with, whoever runs them. */
export interface Servers {
  readonly temporal_address: string;
  readonly temporal_ui: string | null;
  readonly database_url: string;
  readonly qdrant: QdrantServer;
}

export interface AppsToStart {
  readonly config: Config;
  readonly home: Home;
  readonly servers: Servers;
  /** The folder of the embedding model; null: there is none. */
  readonly modelFolder: string | null;
  readonly api: { readonly url: string; readonly port: number };
  readonly which: readonly App[];
  readonly output?: Part['output'];
  readonly supervision: Supervision;
  readonly report: Report;
  readonly signal: AbortSignal;
}

const patienceMs = 60_000;
const scripts = { worker: 'workers/main.js', api: 'api/main.js' };
const titles = { worker: 'worker', api: 'API' };

/** Starts them and waits until they are well. Throws StackError when they do not get there. */
export async function startApps(starting: AppsToStart): Promise<StackAddresses> {
  const { servers, which, api, supervision, report } = starting;
  await report.step(which.map((app) => titles[app]).join(' and '), async () => {
    for (const app of which) await supervision.start(appPart(starting, app));
    await ready(starting);
  });
  const { temporal_address, temporal_ui } = servers;
  return { temporal_address, temporal_ui, api_url: which.includes('api') ? api.url : null };
}

function appPart({ config, home, servers, modelFolder, api, output }: AppsToStart, name: App): Part {
  return {
    name,
    argv: [process.execPath, join(packageRoot, 'dist', scripts[name])],
    env: {
      ...process.env,
      HOLDFAST_HOME: home.root,
      HOLDFAST_CACHE: config.cache,
      HOLDFAST_BOX: home.box,
      HOLDFAST_DATABASE: config.postgres.database,
      HOLDFAST_API_HOST: config.api.host,
      HOLDFAST_API_PORT: String(api.port),
      HOLDFAST_TEMPORAL_UI: servers.temporal_ui ?? '',
      TEMPORAL_ADDRESS: servers.temporal_address,
      TEMPORAL_NAMESPACE: config.temporal.namespace,
      TEMPORAL_API_KEY: config.temporal.apiKey ?? '',
      DATABASE_URL: servers.database_url,
      QDRANT_URL: servers.qdrant.url,
      QDRANT_API_KEY: servers.qdrant.apiKey ?? '',
      HOLDFAST_EMBEDDINGS_FOLDER: modelFolder ?? '',
      HOLDFAST_EMBEDDINGS_KEY: config.embeddings.kind === 'served' ? (config.embeddings.key ?? '') : '',
      // Read already, and named by what they hold.
      ...Object.fromEntries(secretVariables.map((variable) => [`${variable}_FILE`, ''])),
    },
    stopSignal: 'SIGTERM',
    ...(output === undefined ? {} : { output }),
  };
}

async function ready(starting: AppsToStart): Promise<void> {
  const { which, home, output, signal } = starting;
  const look = which.includes('api') ? () => seenByApi(starting) : () => seenByTemporal(starting);
  const deadline = Date.now() + patienceMs;
  for (;;) {
    signal.throwIfAborted();
    const problem = await look();
    if (problem === null) return;
    if (Date.now() > deadline) {
      throw new StackError(
        `${which.map((app) => `The ${titles[app]}`).join(' and ')} did not get ready: ${problem}`,
        output === undefined ? `See the logs in ${home.logs}` : 'See what was printed above.',
      );
    }
    await sleep(100);
  }
}

/** null: the API says that everything behind it answers, the worker too where it was started with it. */
async function seenByApi({ api, which }: AppsToStart): Promise<string | null> {
  const health = await fetch(`${api.url}/health`)
    .then(async (response) => healthSchema.parse(await response.json()))
    .catch(() => null);
  if (health === null) return 'the API does not answer';
  const expected = Object.entries(health.servers).filter(([name]) => name !== 'worker' || which.includes('worker'));
  const away = expected.filter(([, { state }]) => state !== 'ok');
  if (away.length === 0) return null;
  return away.map(([name, { reason }]) => `${name}: ${reason ?? 'unavailable'}`).join('; ');
}

/** null: this worker asks Temporal for work. */
async function seenByTemporal({ config, home, servers, supervision }: AppsToStart): Promise<string | null> {
  const { namespace } = config.temporal;
  const pid = supervision.parts.find(({ name }) => name === 'worker')?.pid();
  const temporal = connectTemporal({ ...config.temporal, address: servers.temporal_address });
  try {
    const pollers = await pollersOf(temporal, { namespace, taskQueue: mainTaskQueue, withinMs: 2_000 });
    const isSeen = pid != null && pollers.some(({ identity }) => identity.startsWith(`${pid}@${home.box} `));
    return isSeen ? null : `no worker of this box polls the task queue ${mainTaskQueue}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await temporal.close();
  }
}
