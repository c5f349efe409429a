import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBox } from '../../adapters/box.ts';
import { connect, type Sql } from '../../adapters/postgres/connect.ts';
import { createLexicalOnly, type Embeddings } from '../../adapters/embeddings/embedder.ts';
import { createInstanceStore } from '../../adapters/postgres/instances.ts';
import { createTokenStore } from '../../adapters/postgres/tokens.ts';
import { connectQdrant, type QdrantServer } from '../../adapters/qdrant/connect.ts';
import { connectTemporal, type Temporal } from '../../adapters/temporal/connect.ts';
import { ensureNamespace } from '../../adapters/temporal/namespace.ts';
import { createApp, type App, type AppDeps } from '../../api/app.ts';
import { createLogger } from '../../api/log.ts';
import { createParts } from '../../api/parts.ts';
import { roles, type Role } from '../../domain/role.ts';
import { serviceSpecSchema, type ServiceSpec } from '../../domain/service.ts';
import { boxPaths } from '../../infra/box-paths.ts';
import { removeTree } from '../support/remove-tree.ts';
import { freshDatabases, servers, type TestDatabases } from '../support/servers.ts';

interface Ask {
  readonly token?: string | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The fields of any answer, each where an answer has it. */
interface Body {
  readonly type: string;
  readonly detail: string;
  readonly instance: string;
  readonly errors: readonly { readonly path: string }[];
  readonly next: string;
  readonly items: readonly Body[];
  readonly next_cursor: string | null;
  readonly id: string;
  readonly name: string;
  readonly actor: string;
  readonly phase: string | null;
  readonly token: string;
  readonly run_id: string;
  readonly run_url: string;
  readonly spec: {
    readonly box: string;
    readonly run: { readonly env: unknown };
    readonly source: { readonly git: string };
  };
  readonly safe_mode: boolean;
  readonly status: unknown;
  readonly versions: Readonly<Record<string, string>>;
  readonly servers: Readonly<Record<string, { readonly state: string; readonly reason: string | null }>>;
  readonly checked_at: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  readonly text: string;
}

export interface TestApi {
  readonly url: string;
  readonly app: App;
  readonly parts: ReturnType<typeof createParts>;
  readonly databases: TestDatabases;
  /** The data folder of its box. */
  readonly home: string;
  readonly temporal: Temporal;
  /** A token of each role. */
  readonly tokens: Readonly<Record<Role, string>>;
  /** Everything that was logged. */
  readonly logged: () => string;
  /** As an operator unless told otherwise; as an administrator what only they may: registering (PUT). */
  ask(method: string, path: string, options?: Ask): Promise<Reply>;
  close(): Promise<void>;
}

export interface TestApiOptions extends Partial<Pick<AppDeps, 'limits' | 'streaming' | 'host'>> {
  readonly databaseUrl?: string;
  readonly temporalAddress?: string;
  readonly qdrant?: QdrantServer;
  readonly embeddings?: Embeddings;
  /** Of its own: what it starts is in nobody's way. */
  readonly ownNamespace?: boolean;
}

export const uiUrl = 'http://127.0.0.1:8233';
export const namespace = 'holdfast';

/** The API on a port of its own, over a fresh operations database and the real Temporal. */
export async function startApi(options: TestApiOptions = {}): Promise<TestApi> {
  const databases = await freshDatabases();
  const url = options.databaseUrl ?? databases.opsUrl;
  const pools: readonly [Sql, Sql, Sql] = [
    connect(url, { name: 'test-api', max: 8 }),
    connect(url, { name: 'test-api-keys', max: 4 }),
    connect(databases.dataUrl, { name: 'test-api-data', max: 8 }),
  ];
  const address = options.temporalAddress ?? servers().temporalAddress;
  const own = options.ownNamespace === true ? `t-${randomBytes(4).toString('hex')}` : namespace;
  const temporal = connectTemporal({ address, namespace: own });
  if (own !== namespace) await ensureNamespace(temporal.connection, own);
  const qdrant = connectQdrant(options.qdrant ?? servers().qdrant);
  const build = { build_sha: 'abc', build_time: '2025-01-01T00:00:00Z', build_branch: 'main' };
  const [sql, keys, data] = pools;
  const home = mkdtempSync(join(tmpdir(), 'holdfast-api-'));
  const paths = boxPaths({ home, dockerHost: `unix://${join(home, 'no-docker.sock')}` });
  const thisBox = createBox({ ...paths, env: process.env, instances: createInstanceStore(sql) });
  const sourceRoots = [join(home, 'sources')];
  const parts = createParts({
    embeddings: options.embeddings ?? createLexicalOnly('a test that embeds nothing'),
    webhookKey: () => Promise.resolve('a key of this test'),
    env: process.env,
    ...{ sql, keys, data, home, sourceRoots, temporal, qdrant, namespace, uiUrl, build, version: '0.0.0', thisBox },
  });
  const lines: string[] = [];
  const log = createLogger('debug', { write: (line) => void lines.push(line) });
  const app = createApp({ host: '127.0.0.1', ...options, ...parts, log, box: 'testbox' });
  const server = createServer(app.express).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tokens = await makeTokens(databases.ops);
  return {
    url: base,
    app,
    parts,
    databases,
    home,
    temporal,
    tokens,
    logged: () => lines.join(''),
    ask: (method, path, ask = {}) =>
      request(`${base}${path}`, method, { token: method === 'PUT' ? tokens.admin : tokens.operator, ...ask }),
    async close() {
      for (const each of Object.values(app.streams)) each.close();
      server.closeAllConnections();
      server.close();
      // A retry that finds the connection closed throws where nobody can catch it.
      if (options.temporalAddress !== undefined) await sleep(2_000);
      await Promise.all([...pools.map((pool) => pool.end({ timeout: 1 })), temporal.close()]);
      await databases.drop();
      removeTree(home);
    },
  };
}

async function makeTokens(ops: Sql): Promise<Record<Role, string>> {
  const store = createTokenStore(ops);
  const made = await Promise.all(roles.map(async (role) => [role, (await store.create({ actor: role, role })).token]));
  return Object.fromEntries(made) as Record<Role, string>;
}

async function request(url: string, method: string, { token, body, headers }: Ask): Promise<Reply> {
  const answer = await fetch(url, {
    method,
    headers: {
      ...(token === null || token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const json = answer.headers.get('content-type')?.includes('json') === true && text !== '';
  return { status: answer.status, headers: answer.headers, text, body: (json ? JSON.parse(text) : null) as Body };
}

export const closedPort = 'postgres://nobody:nothing@127.0.0.1:1/none';

export function serviceNameOfItsOwn(): string {
  return `t-${randomBytes(6).toString('hex')}`;
}

/** What an operations database needs to know of a deploy's specification. */
export const parsedSpec = (): ServiceSpec & { box: string } => ({
  ...serviceSpecSchema.parse(smallestSpec),
  box: 'testbox',
});

export const smallestSpec = { source: { git: 'https://example.org/web.git' }, run: { argv: ['node', 'web.js'] } };
