import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { createBox } from '../adapters/box.ts';
import { openEmbeddings } from '../adapters/embeddings/open.ts';
import { connect, databaseUrl } from '../adapters/postgres/connect.ts';
import { createInstanceStore } from '../adapters/postgres/instances.ts';
import { connectQdrant } from '../adapters/qdrant/connect.ts';
import { connectTemporal } from '../adapters/temporal/connect.ts';
import { readBuildInfo, readVersion } from '../infra/build-info.ts';
import { boxPaths, embeddingProgram } from '../infra/box-paths.ts';
import { ConfigError, loadConfig, type Config } from '../infra/config.ts';
import { keptSecret } from '../infra/kept-secret.ts';
import { createApp } from './app.ts';
import { createLogger } from './log.ts';
import { createParts } from './parts.ts';
import { NothingGuardsIt, serve } from './serve.ts';

const stopWithinMs = 5_000;

async function main(): Promise<void> {
  const config = loadConfig();
  const log = createLogger(config.logLevel, pino.destination({ dest: 1, sync: true }));
  const { behind, close } = connectAll(config);
  const parts = createParts(behind);
  const { host, port } = config.api;
  const app = createApp({ ...parts, log, box: config.box, host });
  log.info({ version: behind.version, ...behind.build }, 'starting');
  // What the process before did not get to say.
  void parts.outbox.carry().catch((error: unknown) => log.warn({ err: error }, 'the audit waits for Postgres'));
  await serve({ host, port, app, log, anyToken: () => parts.tokens.any(), stopping: stopSignal() });
  await close();
  log.info('stopped');
}

/** Nothing is asked of a server here: it may be down now and come later. */
function connectAll(config: Config) {
  const { postgres, temporal: at, qdrant: candidates } = config;
  const { address, namespace, uiUrl } = at;
  if (postgres.url === null || address === null || candidates.url === null) {
    throw new ConfigError('DATABASE_URL, TEMPORAL_ADDRESS and QDRANT_URL are needed here; `npm start` sets all three.');
  }
  const url = databaseUrl(postgres.url, `${postgres.database}_ops`);
  const sql = connect(url, { name: 'holdfast-api', max: 8 });
  const keys = connect(url, { name: 'holdfast-api-keys', max: 4 });
  const data = connect(databaseUrl(postgres.url, postgres.database), { name: 'holdfast-api-data', max: 8 });
  const temporal = connectTemporal({ ...at, address });
  const qdrant = connectQdrant({ ...candidates, url: candidates.url });
  // Questions only, which wait for no turn of the box.
  const embeddings = openEmbeddings(config.embeddings, { program: embeddingProgram, boxLimit: null });
  const build = readBuildInfo();
  const thisBox = createBox({ ...boxPaths(config), env: process.env, instances: createInstanceStore(sql) });
  return {
    behind: {
      embeddings,
      ...{ sql, keys, data, temporal, qdrant, namespace, uiUrl, build, version: readVersion(), thisBox },
      home: config.home,
      env: process.env,
      webhookKey: () => keptSecret(join(config.home, 'secrets', 'webhook-key')),
      sourceRoots: config.sourceRoots,
    },
    // Temporal's connection ends with the process: a retry that finds it closed throws where nobody can catch it.
    close: () => Promise.all([embeddings.close(), ...[sql, keys, data].map((pool) => pool.end({ timeout: 1 }))]),
  };
}

function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      controller.abort();
      void sleep(stopWithinMs, null, { ref: false }).then(() =>
        fail(new Error(`not stopped within ${stopWithinMs} ms`)),
      );
    });
  }
  return controller.signal;
}

function fail(error: unknown): never {
  const { message, stack, code } = error as Error & { code?: string };
  const plain = error instanceof ConfigError || error instanceof NothingGuardsIt || code === 'EADDRINUSE';
  process.stderr.write(`holdfast api: ${plain ? message : stack}\n`);
  process.exit(1);
}

main().then(() => process.exit(0), fail);
