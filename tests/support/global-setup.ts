import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../infra/config.ts';
import { qdrantSetup } from '../../infra/stack/qdrant/qdrant.ts';
import { createReport } from '../../infra/stack/report.ts';
import { startStack } from '../../infra/stack/stack.ts';
import { removeAbandonedHomes } from './abandoned-homes.ts';
import { removeAbandonedDaemons, startDockerDaemon } from './docker-daemon.ts';
import { withoutDocker } from './without-docker.ts';
import { demandPrograms } from './installed-programs.ts';
import { sshPackages } from './ssh-server.ts';
import { buildWorkflowBundle } from './workflow-bundle.ts';

/**
 * The real servers that all tests share, in a data folder of their own that goes with them; only what was built before is
 * shared with the user's. A server that cannot be had fails the run.
 */
export default async function setup(): Promise<void> {
  // What tests run on is decided by this machine, not by a network.
  process.env['HOLDFAST_DOWNLOADS'] = 'off';
  process.env['HOLDFAST_TEST_BUNDLE'] ??= await buildWorkflowBundle();
  await Promise.all([removeAbandonedHomes(), removeAbandonedDaemons()]);
  stopOnSignals();
  const started = await Promise.allSettled([startServers(), startDocker(), demandPrograms(sshPackages)]);
  const failed = started.find(({ status }) => status === 'rejected');
  if (failed === undefined) return;
  await stopAll();
  throw (failed as PromiseRejectedResult).reason;
}

async function startDocker(): Promise<void> {
  if (withoutDocker || process.env['HOLDFAST_TEST_DOCKER'] !== undefined) return;
  const daemon = await startDockerDaemon();
  testServers.stops.push(() => daemon.remove());
  process.env['HOLDFAST_TEST_DOCKER'] = daemon.socketPath;
}

async function startServers(): Promise<void> {
  const {
    HOLDFAST_TEST_POSTGRES: postgres,
    HOLDFAST_TEST_TEMPORAL: temporal,
    HOLDFAST_TEST_QDRANT: qdrant,
  } = process.env;
  if (postgres !== undefined && temporal !== undefined && qdrant !== undefined) return;

  const home = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  if (process.getuid?.() === 0) await chmod(home, 0o711);
  const usual = loadConfig();
  const config = {
    ...usual,
    home,
    temporal: { ...usual.temporal, address: temporal ?? usual.temporal.address, namespace: 'holdfast' },
    postgres: { ...usual.postgres, url: postgres ?? usual.postgres.url, database: 'holdfast' },
    qdrant:
      qdrant === undefined ? usual.qdrant : { url: qdrant, apiKey: process.env['HOLDFAST_TEST_QDRANT_KEY'] ?? null },
  };
  const interrupt = new AbortController();
  const report = createReport((line) => process.stderr.write(`${line}\n`));
  const starting = startStack(config, report, { apps: false, signal: interrupt.signal });
  testServers.stops.push(async () => {
    interrupt.abort();
    await starting.then((stack) => stack.stop()).catch(() => undefined);
    await rm(home, { recursive: true, force: true });
  });
  const stack = await starting;
  process.env['HOLDFAST_TEST_POSTGRES'] = stack.database_url;
  process.env['HOLDFAST_TEST_TEMPORAL'] = stack.temporal_address;
  process.env['HOLDFAST_TEST_QDRANT'] = stack.qdrant.url;
  if (stack.qdrant.apiKey !== null) process.env['HOLDFAST_TEST_QDRANT_KEY'] = stack.qdrant.apiKey;
  if (config.qdrant.url !== null) return;
  const { readOnlyKey, snapshots } = await qdrantSetup(stack.home, config.ports.qdrant);
  process.env['HOLDFAST_TEST_QDRANT_READ_ONLY_KEY'] = readOnlyKey;
  process.env['HOLDFAST_TEST_QDRANT_SNAPSHOTS'] = snapshots;
}

/** The servers are in process groups of their own, so Ctrl-C does not reach them; and then jest runs no teardown. */
function stopOnSignals(): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => void stopAll().finally(() => process.exit(130)));
  }
}

/** Handed to global-teardown.ts, which jest runs in the same process. */
const testServers: { readonly stops: (() => Promise<void>)[] } = { stops: [] };

export async function stopAll(): Promise<void> {
  await Promise.allSettled(testServers.stops.splice(0).map((stop) => stop()));
}
