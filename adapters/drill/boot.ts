import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Finding } from '../../domain/backup/finding.ts';
import type { Manifest } from '../../domain/backup/manifest.ts';
import { scratchOfDrill, type DrillReference } from '../../domain/drill/run.ts';
import { manifestName, parseManifestFile, readBytes } from '../backup/manifest-file.ts';
import { dropRestoredDatabase, handOverDatabase } from '../backup/restore-database.ts';
import { dropScratch, scratchCollection } from '../backup/scratch.ts';
import { dropMemoryIndex } from '../memories/collection.ts';
import { createMemoryReconciliation } from '../memories/reconcile.ts';
import { endLabelled } from '../process/run-command.ts';
import { connect, databaseUrl, type Sql } from '../postgres/connect.ts';
import { createTokenStore } from '../postgres/tokens.ts';
import { connectQdrant } from '../qdrant/connect.ts';
import { askBooted } from './ask-booted.ts';
import { databasesOf, foldersOf, type DrillDeps } from './place.ts';
import { dropCopy } from './rehearse.ts';

const bootWithinMs = 120_000;
const stopWithinMs = 10_000;
/** In the environment of the app: which drill it is of. */
const label = 'HOLDFAST_DRILL';

/**
 * L3: the app is started on what was restored, with a data folder and a port of its own, and has to answer what the point
 * holds. It has the live Temporal, of which nothing is asked.
 */
export async function bootOn(deps: DrillDeps, ref: DrillReference, signal: AbortSignal): Promise<Finding[]> {
  const { servers } = deps;
  const folders = foldersOf(deps.root, ref.drill_id);
  const { manifest } = parseManifestFile(await readBytes(folders.point, manifestName));
  const scratch = scratchOfDrill(ref.drill_id);
  const databases = databasesOf(servers, scratch);
  await endApp(ref.drill_id);
  for (const database of [databases.data, databases.ops]) await handOverDatabase(servers, { database });
  const [data, ops] = [databases.data, databases.ops].map((database) =>
    connect(databaseUrl(servers.postgresUrl, database), { name: 'holdfast-drill', max: 2 }),
  ) as [Sql, Sql];
  // A safety point is taken while its restore holds the data: here nobody runs who would let go.
  await ops`delete from locks`;
  const api = await startApi(deps, { home: folders.home, database: databases.data, drillId: ref.drill_id });
  try {
    await toScratch(data, manifest, scratch);
    const qdrant = connectQdrant(servers.qdrant);
    // As a worker does at boot: what was forgotten since stays forgotten here too.
    await createMemoryReconciliation({ data, ops, qdrant, embeddings: deps.embeddings }).all(signal);
    const { token } = await createTokenStore(ops).create({ actor: 'drill', role: 'operator' });
    const answered = await untilReady(api, signal);
    if (answered !== null) return [{ level: 'L3', check: 'boot', ok: false, reason: answered, detail: {} }];
    return await askBooted({ url: api.url, token, data, manifest, drill_id: ref.drill_id, signal });
  } finally {
    await stop(api.child);
    await Promise.all([data.end({ timeout: 5 }), ops.end({ timeout: 5 })]);
  }
}

/** The app, databases, collections, files: everything of a drill in scratch, as often as it is asked. */
export async function tidyDrill(deps: DrillDeps, drillId: string): Promise<void> {
  await endApp(drillId);
  const scratch = scratchOfDrill(drillId);
  const { data: database, ops } = databasesOf(deps.servers, scratch);
  const data = connect(databaseUrl(deps.servers.postgresUrl, database), { name: 'holdfast-drill', max: 1 });
  try {
    await dropMemoryIndex({ data, qdrant: connectQdrant(deps.servers.qdrant) }).catch((error: unknown) => {
      // No such database, or one that was never filled.
      if (!['3D000', '42P01'].includes((error as { code?: string }).code ?? '')) throw error;
    });
  } finally {
    await data.end({ timeout: 5 });
  }
  for (const name of [database, ops]) await dropRestoredDatabase(deps.servers, name);
  await dropScratch(deps.servers, scratch);
  await dropCopy(deps, drillId);
}

/** The rows name the live collections: readers of the copy go to the copies of those. */
async function toScratch(data: Sql, manifest: Manifest, scratch: string): Promise<void> {
  for (const [at, { name }] of manifest.collections.entries())
    await data`update generations set collection = ${scratchCollection(scratch, at)} where collection = ${name}`;
}

/** It outlives a worker that is killed. */
function endApp(drillId: string): Promise<void> {
  return endLabelled({ [label]: drillId });
}

interface Booted {
  readonly child: ChildProcess;
  readonly url: string;
  /** The last that it said. */
  readonly said: () => string;
}

async function startApi(
  deps: DrillDeps,
  { home, database, drillId }: { home: string; database: string; drillId: string },
): Promise<Booted> {
  const port = await deps.freePort();
  await rm(home, { recursive: true, force: true });
  await mkdir(home, { recursive: true, mode: 0o700 });
  const env: NodeJS.ProcessEnv = {
    ...{ ...deps.env, [label]: drillId },
    ...{ HOLDFAST_HOME: home, HOLDFAST_DATABASE: database, DATABASE_URL: deps.servers.postgresUrl },
    ...{ HOLDFAST_API_HOST: '127.0.0.1', HOLDFAST_API_PORT: String(port), QDRANT_URL: deps.servers.qdrant.url },
    ...(deps.servers.qdrant.apiKey === null ? {} : { QDRANT_API_KEY: deps.servers.qdrant.apiKey }),
  };
  // Each of them would be said twice.
  delete env['DATABASE_URL_FILE'];
  delete env['QDRANT_API_KEY_FILE'];
  const child = spawn(process.execPath, [deps.apiProgram], { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const hear = (chunk: Buffer): void => void (said = (said + chunk.toString()).slice(-2_000));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  // Seen by its exit, or by never answering.
  child.on('error', (error) => hear(Buffer.from(error.message)));
  return { child, url: `http://127.0.0.1:${port}`, said: () => said };
}

/** null: it answers. */
async function untilReady({ child, url, said }: Booted, signal: AbortSignal): Promise<string | null> {
  const until = Date.now() + bootWithinMs;
  while (Date.now() < until) {
    signal.throwIfAborted();
    if (child.exitCode !== null)
      return `the app ended with ${child.exitCode}: ${said().trim().split('\n').at(-1) ?? ''}`;
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
    if (answer?.ok === true) return null;
    await sleep(250, undefined, { signal });
  }
  return `the app does not answer after ${bootWithinMs / 1_000} s`;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
  await gone;
  clearTimeout(timer);
}
