import { hostname, homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { boxName } from '../domain/service.ts';

/** Everything Holdfast reads from its environment. Parsed once; all that is wrong is said at once. */
export interface Config {
  /** The data folder. */
  readonly home: string;
  /** Built and downloaded servers, by version. May be shared by several homes. */
  readonly cache: string;
  readonly box: string;
  /** The environment named it: that counts for more than the name that the data folder keeps. */
  readonly boxIsGiven: boolean;
  readonly temporal: {
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
  /** Where Docker is, `unix:///path` or `tcp://host:port`; looked at only when a service needs it. */
  readonly dockerHost: string;
  readonly api: { readonly host: string; readonly port: number };
  /** Where the servers that the stack starts should listen; another port where one is taken. */
  readonly ports: { readonly postgres: number; readonly temporal: number; readonly temporal_ui: number };
  readonly logLevel: string;
  /** Of the command line: another API than that of this data folder. */
  readonly client: { readonly url: string | null; readonly token: string | null };
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const port = z.coerce.number().int().min(1).max(65_535);

const environment = z.object({
  HOLDFAST_HOME: z.string().refine(isAbsolute, 'an absolute path').optional(),
  HOLDFAST_CACHE: z.string().refine(isAbsolute, 'an absolute path').optional(),
  HOLDFAST_BOX: boxName.optional(),
  HOLDFAST_DATABASE: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,50}$/, 'lower-case letters, digits and underscores')
    .default('holdfast'),
  HOLDFAST_URL: z.url({ protocol: /^https?$/ }).optional(),
  HOLDFAST_TOKEN: z.string().optional(),
  HOLDFAST_TEMPORAL_UI: z.url({ protocol: /^https?$/ }).optional(),
  HOLDFAST_API_HOST: z.string().default('127.0.0.1'),
  HOLDFAST_API_PORT: port.default(8420),
  HOLDFAST_POSTGRES_PORT: port.default(54320),
  HOLDFAST_TEMPORAL_PORT: port.default(7233),
  HOLDFAST_TEMPORAL_UI_PORT: port.default(8233),
  HOLDFAST_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s:/]+:\d{1,5}$/, 'host:port')
    .optional(),
  TEMPORAL_NAMESPACE: z.string().min(1).default('holdfast'),
  DOCKER_HOST: z.string().default('unix:///var/run/docker.sock'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
});

/** Throws ConfigError with one line that names every wrong variable, never a value (one of them holds a password). */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  // An empty variable is one that was not set.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
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
    },
    postgres: { url: value.DATABASE_URL ?? null, database: value.HOLDFAST_DATABASE },
    dockerHost: value.DOCKER_HOST,
    api: { host: value.HOLDFAST_API_HOST, port: value.HOLDFAST_API_PORT },
    ports: {
      postgres: value.HOLDFAST_POSTGRES_PORT,
      temporal: value.HOLDFAST_TEMPORAL_PORT,
      temporal_ui: value.HOLDFAST_TEMPORAL_UI_PORT,
    },
    logLevel: value.HOLDFAST_LOG_LEVEL,
    client: { url: value.HOLDFAST_URL ?? null, token: value.HOLDFAST_TOKEN ?? null },
  };
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
