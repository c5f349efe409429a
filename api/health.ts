import type { QdrantClient } from '@qdrant/js-client-rest';
import type { Embeddings } from '../adapters/embeddings/embedder.ts';
import { createEmbeddingLook } from '../adapters/embeddings/state.ts';
import type { Sql } from '../adapters/postgres/connect.ts';
import { qdrantVersion } from '../adapters/qdrant/version.ts';
import type { Temporal } from '../adapters/temporal/connect.ts';
import { pollersOf } from '../adapters/temporal/pollers.ts';
import { mainTaskQueue } from '../domain/task-queue.ts';
import type { BuildInfo, EmbeddingState, Health, ServerState } from '../domain/health.ts';

export interface HealthDeps {
  readonly sql: Sql;
  readonly temporal: Temporal;
  readonly qdrant: QdrantClient;
  readonly embeddings: Embeddings;
  readonly namespace: string;
  readonly build: BuildInfo;
  readonly version: string;
  /** Where a worker must poll; default: the queue of the workflows. */
  readonly taskQueue?: string;
}

const boundMs = 1_000;
const cacheMs = 1_000;
// A poll lasts up to a minute and is seen when it begins, so an idle worker may have been seen a little over a minute ago.
const workerSeenWithinMs = 70_000;

/** The state of each part, asked for at most once a second however many ask. */
export function createHealth(deps: HealthDeps): () => Promise<Health> {
  const look = createLook(deps);
  let seen: Promise<Health> | null = null;
  return () => {
    if (seen === null) {
      // Counted from its end, so that whoever asks while it goes on shares it, however slow the machine is.
      const forget = (): void => void setTimeout(() => (seen = null), cacheMs).unref();
      seen = look().finally(forget);
    }
    return seen;
  };
}

function createLook({
  sql,
  temporal,
  qdrant,
  embeddings,
  namespace,
  build,
  version,
  taskQueue = mainTaskQueue,
}: HealthDeps): () => Promise<Health> {
  const checkTemporal = createCheck(() => temporalVersion(temporal));
  const checkPostgres = createCheck(() => postgresVersion(sql));
  const checkQdrant = createCheck(() => qdrantVersion(qdrant));
  const checkWorker = createCheck(() => workerSeen(temporal, namespace, taskQueue));
  const checkEmbeddings = createEmbeddingCheck(embeddings);
  return async () => {
    const checks = [checkTemporal(), checkPostgres(), checkQdrant(), checkWorker(), checkEmbeddings()] as const;
    const [ofTemporal, ofPostgres, ofQdrant, worker, ofEmbeddings] = await Promise.all(checks);
    const servers = { temporal: ofTemporal, postgres: ofPostgres, qdrant: ofQdrant, worker };
    const areWell = Object.values(servers).every(({ state }) => state === 'ok');
    const known = { temporal: ofTemporal.version, postgres: ofPostgres.version, qdrant: ofQdrant.version };
    return {
      ...build,
      status: areWell && ofEmbeddings.state !== 'unavailable' ? 'ok' : 'degraded',
      versions: { holdfast: version, node: process.versions.node, ...withoutNulls(known) },
      servers,
      embeddings: ofEmbeddings,
      checked_at: new Date().toISOString(),
    };
  };
}

/** As for a server. Search by words goes on without embeddings. */
function createEmbeddingCheck(embeddings: Embeddings): () => Promise<EmbeddingState> {
  const look = createEmbeddingLook(embeddings);
  const { key: identity } = embeddings;
  return () => within(look(), ({ message }) => ({ state: 'unavailable', identity, reason: message }));
}

/** One probe at a time: a server that hangs collects no queue of questions. `probe` gives the version. */
function createCheck(probe: () => Promise<string | null>): () => Promise<ServerState> {
  let pending: Promise<ServerState> | null = null;
  return async () => {
    pending ??= probe()
      .then((version): ServerState => ({ state: 'ok', version, reason: null }), unavailable)
      .finally(() => (pending = null));
    return within(pending, unavailable);
  };
}

async function within<T>(pending: Promise<T>, otherwise: (error: Error) => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise(new Error(`no answer within ${boundMs / 1_000} s`))), boundMs);
  });
  return Promise.race([pending, late]).finally(() => clearTimeout(timer));
}

/** /health needs no token, so the reason is a word, never a message with an address or a role in it. */
function unavailable(error: Error & { code?: unknown }): ServerState {
  const reason = typeof error.code === 'string' ? error.code : error.code === undefined ? error.message : 'no answer';
  return { state: 'unavailable', version: null, reason };
}

async function temporalVersion({ connection }: Temporal): Promise<string | null> {
  const info = await connection.withDeadline(Date.now() + boundMs, () => connection.workflowService.getSystemInfo({}));
  return info.serverVersion;
}

async function postgresVersion(sql: Sql): Promise<string | null> {
  const [row] = await sql<{ server_version: string }[]>`show server_version`;
  return row?.server_version.split(' ')[0] ?? null;
}

async function workerSeen(temporal: Temporal, namespace: string, taskQueue: string): Promise<null> {
  const pollers = await pollersOf(temporal, { namespace, taskQueue, withinMs: boundMs });
  const last = Math.max(0, ...pollers.map(({ seenAtMs }) => seenAtMs));
  if (Date.now() - last > workerSeenWithinMs) throw new Error(`no worker polls the task queue ${taskQueue}`);
  return null;
}

function withoutNulls(values: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null));
}
