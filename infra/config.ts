import { readFileSync } from 'node:fs';
import { availableParallelism, hostname, homedir } from 'node:os';
import { isAbsolute, join, relative } from 'node:path';
import { z } from 'zod';
import type { EmbeddingSettings } from '../domain/embedding.ts';
import { boxName } from '../domain/service.ts';

/** How Temporal wants to be spoken to. */
interface TemporalAccess {
  /** null: plain. Paths of certificates in PEM; null: those of the system, no client certificate. */
  readonly tls: {
    readonly certPath: string | null;
    readonly keyPath: string | null;
    readonly caPath: string | null;
    readonly serverName: string | null;
  } | null;
  readonly apiKey: string | null;
}

/** Everything Holdfast reads from its environment. Parsed once; all that is wrong is said at once. */
export interface Config {
  /** The data folder. */
  readonly home: string;
  /** Built and downloaded servers, by version. May be shared by several homes. */
  readonly cache: string;
  readonly box: string;
  /** The environment named it: that counts for more than the name that the data folder keeps. */
  readonly boxIsGiven: boolean;
  readonly temporal: TemporalAccess & {
    /** host:port; null: the stack starts one. */
    readonly address: string | null;
    readonly namespace: string;
    /** Where links to runs point; null: no UI known. */
    readonly uiUrl: string | null;
  };
  readonly postgres: {
    /** Any database of the server, with a role that may create databases; null: the stack starts one. */
    readonly url: string | null;
    /** The data database; the operations database is this name with `_ops`. */
    readonly database: string;
  };
  readonly qdrant: {
    /** null: the stack starts one. */
    readonly url: string | null;
    readonly apiKey: string | null;
  };
  readonly embeddings: EmbeddingSettings & {
    /** How many processes of this box embed passages at the same time. */
    readonly atOnce: number;
  };
  readonly backup: {
    /** Of age, to which recovery points are encrypted; empty: they are not. */
    readonly recipients: readonly string[];
    /** A file of keys of age that drills may read them with; null: there is none on this box. */
    readonly identitiesPath: string | null;
  };
  /** Whether programs, images and models may be fetched from the projects that publish them. */
  readonly downloads: boolean;
  /** Where Docker is, `unix:///path` or `tcp://host:port`; looked at only when a service needs it. */
  readonly dockerHost: string;
  readonly api: { readonly host: string; readonly port: number };
  /** Where the servers that the stack starts should listen; another port where one is taken. */
  readonly ports: {
    readonly postgres: number;
    readonly temporal: number;
    readonly temporal_ui: number;
    readonly qdrant: number;
  };
  /** The folders that directories and local repositories of projects must be inside. */
  readonly sourceRoots: readonly string[];
  readonly logLevel: string;
  /** Of the command line: another API than that of this data folder. */
  readonly client: { readonly url: string | null; readonly token: string | null };
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const port = z.coerce.number().int().min(1).max(65_535);
const path = z.string().refine(isAbsolute, 'an absolute path');

const environment = z.object({
  HOLDFAST_HOME: path.optional(),
  HOLDFAST_CACHE: path.optional(),
  HOLDFAST_BOX: boxName.optional(),
  HOLDFAST_DATABASE: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,50}$/, 'lower-case letters, digits and underscores')
    .default('holdfast'),
  HOLDFAST_SOURCE_ROOTS: z
    .string()
    .transform((text) => text.split(':').filter((root) => root !== ''))
    .pipe(z.array(path).min(1))
    .optional(),
  HOLDFAST_URL: z.url({ protocol: /^https?$/ }).optional(),
  HOLDFAST_TOKEN: z.string().optional(),
  HOLDFAST_TEMPORAL_UI: z.url({ protocol: /^https?$/ }).optional(),
  HOLDFAST_API_HOST: z.string().default('127.0.0.1'),
  HOLDFAST_API_PORT: port.default(8420),
  HOLDFAST_POSTGRES_PORT: port.default(54320),
  HOLDFAST_TEMPORAL_PORT: port.default(7233),
  HOLDFAST_TEMPORAL_UI_PORT: port.default(8233),
  HOLDFAST_QDRANT_PORT: port.default(6333),
  HOLDFAST_DOWNLOADS: z.enum(['on', 'off']).default('on'),
  HOLDFAST_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s:/]+:\d{1,5}$/, 'host:port')
    .optional(),
  TEMPORAL_NAMESPACE: z.string().min(1).default('holdfast'),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_TLS: z.enum(['true', 'false']).optional(),
  TEMPORAL_TLS_CLIENT_CERT_PATH: path.optional(),
  TEMPORAL_TLS_CLIENT_KEY_PATH: path.optional(),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: path.optional(),
  TEMPORAL_TLS_SERVER_NAME: z.string().optional(),
  DOCKER_HOST: z.string().default('unix:///var/run/docker.sock'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  QDRANT_URL: z
    .url({ protocol: /^https?$/ })
    .refine((text) => new URL(text).username === '', 'no user or password: the key is QDRANT_API_KEY')
    .optional(),
  QDRANT_API_KEY: z.string().optional(),
  HOLDFAST_EMBEDDINGS: z
    .string()
    .refine((text) => /^(local|none)$/.test(text) || isHttpUrl(text), 'local, none, or the URL of an API')
    .refine((text) => !text.includes('@'), 'no user or password: the key is HOLDFAST_EMBEDDINGS_KEY')
    .default('local'),
  HOLDFAST_EMBEDDINGS_FOLDER: path.optional(),
  HOLDFAST_EMBEDDINGS_THREADS: z.coerce.number().int().min(1).max(64).default(1),
  HOLDFAST_EMBEDDINGS_AT_ONCE: z.coerce.number().int().min(1).max(64).optional(),
  HOLDFAST_EMBEDDINGS_MODEL: z.string().optional(),
  HOLDFAST_EMBEDDINGS_DIMENSIONS: z.coerce.number().int().min(1).max(65_536).optional(),
  HOLDFAST_EMBEDDINGS_KEY: z.string().optional(),
  HOLDFAST_EMBEDDINGS_PASSAGE_PREFIX: z.string().default(''),
  HOLDFAST_EMBEDDINGS_QUERY_PREFIX: z.string().default(''),
  HOLDFAST_BACKUP_RECIPIENTS: z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter((recipient) => recipient !== ''))
    .pipe(z.array(z.string().regex(/^age1[0-9a-z]{10,}$/, 'public keys of age (age1…), with commas between')))
    .default([]),
  HOLDFAST_BACKUP_IDENTITIES: path.optional(),
});

type Environment = z.output<typeof environment>;

/** May each be a file instead, named by the same variable with `_FILE` behind it: how containers and systemd hand secrets over. */
export const secretVariables = [
  'DATABASE_URL',
  'QDRANT_API_KEY',
  'TEMPORAL_API_KEY',
  'HOLDFAST_EMBEDDINGS_KEY',
] as const;

/** Throws ConfigError with one line that names every wrong variable, never a value (one of them holds a password). */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  // An empty variable is one that was not set.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(withSecretFiles(given));
  if (!parsed.success) {
    const wrong = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new ConfigError(`The environment is not valid: ${wrong.join('; ')}`);
  }
  const value = parsed.data;
  const home = value.HOLDFAST_HOME ?? defaultHome();
  return {
    home,
    cache: value.HOLDFAST_CACHE ?? join(home, 'cache'),
    box: value.HOLDFAST_BOX ?? boxOfThisMachine(),
    boxIsGiven: value.HOLDFAST_BOX !== undefined,
    temporal: {
      address: value.TEMPORAL_ADDRESS ?? null,
      namespace: value.TEMPORAL_NAMESPACE,
      uiUrl: value.HOLDFAST_TEMPORAL_UI ?? null,
      ...temporalAccess(value),
    },
    postgres: { url: value.DATABASE_URL ?? null, database: value.HOLDFAST_DATABASE },
    qdrant: { url: value.QDRANT_URL ?? null, apiKey: value.QDRANT_API_KEY ?? null },
    embeddings: { ...embeddingSettings(value), atOnce: value.HOLDFAST_EMBEDDINGS_AT_ONCE ?? usualAtOnce(value) },
    backup: {
      recipients: value.HOLDFAST_BACKUP_RECIPIENTS,
      identitiesPath: value.HOLDFAST_BACKUP_IDENTITIES ?? null,
    },
    downloads: value.HOLDFAST_DOWNLOADS === 'on',
    dockerHost: value.DOCKER_HOST,
    api: { host: value.HOLDFAST_API_HOST, port: value.HOLDFAST_API_PORT },
    ports: {
      postgres: value.HOLDFAST_POSTGRES_PORT,
      temporal: value.HOLDFAST_TEMPORAL_PORT,
      temporal_ui: value.HOLDFAST_TEMPORAL_UI_PORT,
      qdrant: value.HOLDFAST_QDRANT_PORT,
    },
    sourceRoots: sourceRoots(value, home),
    logLevel: value.HOLDFAST_LOG_LEVEL,
    client: { url: value.HOLDFAST_URL ?? null, token: value.HOLDFAST_TOKEN ?? null },
  };
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function withSecretFiles(given: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const whole: Record<string, string | undefined> = { ...given };
  for (const name of secretVariables) {
    const file = given[`${name}_FILE`];
    if (file === undefined) continue;
    if (given[name] !== undefined) throw new ConfigError(`Both ${name} and ${name}_FILE are set: one is enough`);
    whole[name] = readSecret(`${name}_FILE`, file);
  }
  return whole;
}

function readSecret(variable: string, file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(`${variable}: ${file} cannot be read (${code ?? 'unknown'})`);
  }
}

/** With the names and the meaning that Temporal's own SDKs and command line give them: a key or a certificate asks for TLS. */
function temporalAccess(value: Environment): TemporalAccess {
  const certPath = value.TEMPORAL_TLS_CLIENT_CERT_PATH ?? null;
  const keyPath = value.TEMPORAL_TLS_CLIENT_KEY_PATH ?? null;
  const caPath = value.TEMPORAL_TLS_SERVER_CA_CERT_PATH ?? null;
  const serverName = value.TEMPORAL_TLS_SERVER_NAME ?? null;
  const apiKey = value.TEMPORAL_API_KEY ?? null;
  if ((certPath === null) !== (keyPath === null))
    throw new ConfigError('TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH are needed together');
  const asked = [certPath, caPath, serverName, apiKey].some((given) => given !== null);
  const on = value.TEMPORAL_TLS === undefined ? asked : value.TEMPORAL_TLS === 'true';
  return { tls: on ? { certPath, keyPath, caPath, serverName } : null, apiKey };
}

function embeddingSettings(value: Environment): EmbeddingSettings {
  const { HOLDFAST_EMBEDDINGS: wanted, HOLDFAST_EMBEDDINGS_MODEL: model } = value;
  if (wanted === 'none') return { kind: 'none' };
  if (wanted === 'local') {
    return {
      kind: 'local',
      folder: value.HOLDFAST_EMBEDDINGS_FOLDER ?? null,
      threads: value.HOLDFAST_EMBEDDINGS_THREADS,
    };
  }
  const dimensions = value.HOLDFAST_EMBEDDINGS_DIMENSIONS;
  if (model === undefined || dimensions === undefined) {
    throw new ConfigError(
      'HOLDFAST_EMBEDDINGS is the URL of a server: HOLDFAST_EMBEDDINGS_MODEL and HOLDFAST_EMBEDDINGS_DIMENSIONS say which model',
    );
  }
  const prefix = {
    passage: value.HOLDFAST_EMBEDDINGS_PASSAGE_PREFIX,
    query: value.HOLDFAST_EMBEDDINGS_QUERY_PREFIX,
  };
  return { kind: 'served', url: wanted, key: value.HOLDFAST_EMBEDDINGS_KEY ?? null, model, dimensions, prefix };
}

/** One processor is left to everything else. */
function usualAtOnce({ HOLDFAST_EMBEDDINGS_THREADS: threads }: Environment): number {
  return Math.max(1, Math.floor((availableParallelism() - 1) / threads));
}

/** A root that held the data folder would let tokens and passwords be read as documents. */
function sourceRoots({ HOLDFAST_SOURCE_ROOTS: given }: Environment, home: string): readonly string[] {
  const holding = given?.find((root) => isInside(home, root));
  if (holding !== undefined)
    throw new ConfigError(`HOLDFAST_SOURCE_ROOTS: ${holding} holds the data folder; name folders beside it`);
  return given ?? [join(home, 'sources')];
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith('../'));
}

/** What the command line is to print, known also when the rest of the environment is wrong. */
export function readTerminalWishes(env: NodeJS.ProcessEnv = process.env): {
  readonly colour: boolean;
  readonly debug: boolean;
} {
  return { colour: (env['NO_COLOR'] ?? '') === '', debug: env['HOLDFAST_DEBUG'] === '1' };
}

/** Root gets /var/lib because Postgres refuses to run as root and no other user can enter root's home. */
function defaultHome(): string {
  return process.getuid?.() === 0 ? '/var/lib/holdfast' : join(homedir(), '.holdfast');
}

function boxOfThisMachine(): string {
  const name = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return name.slice(0, 63) || 'local';
}
