import { setTimeout as sleep } from 'node:timers/promises';
import { connectQdrant, type QdrantServer } from '../../../adapters/qdrant/connect.ts';
import { QdrantUnavailable, qdrantVersion } from '../../../adapters/qdrant/version.ts';
import { secret, type Home } from '../home.ts';
import type { Patience } from '../postgres/postgres.ts';
import { StackError } from '../stack-error.ts';
import type { Part } from '../supervised.ts';

/** What a Qdrant of the stack is started with, whichever it is. */
export interface QdrantSetup {
  readonly home: Home;
  readonly port: number;
  readonly apiKey: string;
  /** Lets in for reading only. */
  readonly readOnlyKey: string;
  /** Folders, made by the server. */
  readonly storage: string;
  readonly snapshots: string;
}

/** A program that serves as Qdrant does, and understands its environment. */
export interface QdrantProgram {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Those that Holdfast is made for and tested with. */
const servedVersions = ['1.17', '1.18'];
const questionMs = 3_000;

export async function qdrantSetup(home: Home, port: number): Promise<QdrantSetup> {
  return {
    home,
    port,
    apiKey: await secret(home, 'qdrant-api-key'),
    readOnlyKey: await secret(home, 'qdrant-read-only-key'),
    storage: home.path('qdrant', 'storage'),
    snapshots: home.path('qdrant', 'snapshots'),
  };
}

export function qdrantPart(setup: QdrantSetup, { argv, env }: QdrantProgram): Part {
  return {
    name: 'qdrant',
    argv,
    env: { PATH: process.env['PATH'], HOME: setup.home.path('qdrant'), ...env, ...qdrantEnvironment(setup) },
    stopSignal: 'SIGTERM',
  };
}

/** As the real server reads it, in a container too: there `host` is another one. */
export function qdrantEnvironment(setup: Omit<QdrantSetup, 'home'>, host = '127.0.0.1'): Record<string, string> {
  return {
    QDRANT__SERVICE__HOST: host,
    QDRANT__SERVICE__HTTP_PORT: String(setup.port),
    // It cannot be turned off by environment: any free port, on the same host and behind the same key.
    QDRANT__SERVICE__GRPC_PORT: '0',
    QDRANT__SERVICE__ENABLE_CORS: 'false',
    QDRANT__SERVICE__API_KEY: setup.apiKey,
    QDRANT__SERVICE__READ_ONLY_API_KEY: setup.readOnlyKey,
    QDRANT__STORAGE__STORAGE_PATH: setup.storage,
    QDRANT__STORAGE__SNAPSHOTS_PATH: setup.snapshots,
    QDRANT__TELEMETRY_DISABLED: 'true',
    QDRANT__LOG_LEVEL: 'WARN',
    // It writes this file at each start, otherwise into the folder that it runs in.
    QDRANT_INIT_FILE_PATH: `${setup.storage}/.started`,
  };
}

/** What a person can do depends on whose server it is. */
export interface QdrantAdvice {
  readonly key: string;
  readonly otherwise: string;
}

const ofGivenUrl: QdrantAdvice = {
  key: 'Check QDRANT_API_KEY.',
  otherwise: 'Check QDRANT_URL: http://host:6333, or https://.',
};

export function ownQdrant({ home }: Pick<QdrantSetup, 'home'>): QdrantAdvice {
  const log = `See the log ${home.logs}/qdrant.log`;
  return { key: `${log}; its key is ${home.secrets}/qdrant-api-key`, otherwise: log };
}

/** Waits until the server lets us in. Returns its version. */
export async function readyQdrant(
  server: QdrantServer,
  { timeoutMs, signal }: Patience,
  advice: QdrantAdvice = ofGivenUrl,
): Promise<string> {
  const deadline = Date.now() + timeoutMs;
  const client = connectQdrant(server, questionMs);
  for (;;) {
    signal.throwIfAborted();
    try {
      return await qdrantVersion(client);
    } catch (error) {
      if (!(error instanceof QdrantUnavailable)) throw error;
      if (error.kind !== 'away' || Date.now() > deadline) throw qdrantProblem(server.url, error, advice);
      await sleep(50);
    }
  }
}

/** What people should know of a server of another version; null: it is of one that Holdfast knows. */
export function versionNotice(url: string, version: string): string | null {
  if (servedVersions.some((served) => version.startsWith(`${served}.`))) return null;
  return `Qdrant at ${new URL(url).host} is ${version}; Holdfast is made for ${servedVersions.join(' and ')}`;
}

/** One line, without the key. */
function qdrantProblem(url: string, error: QdrantUnavailable, advice: QdrantAdvice = ofGivenUrl): StackError {
  const who = `Qdrant at ${new URL(url).host}`;
  if (error.kind === 'key') return new StackError(`${who} cannot be used: ${error.message}`, advice.key);
  return new StackError(`${who} cannot be used: ${error.message}`, advice.otherwise);
}
