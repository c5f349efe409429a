import { tmpdir } from 'node:os';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLexicalOnly } from '../../adapters/embeddings/embedder.ts';
import { connect } from '../../adapters/postgres/connect.ts';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';
import { createTokenStore } from '../../adapters/postgres/tokens.ts';
import { createApp } from '../../api/app.ts';
import { createLogger } from '../../api/log.ts';
import { createParts } from '../../api/parts.ts';
import type { DeployBench } from './deploy-bench.ts';
import { servers } from './servers.ts';

export interface BenchApi {
  readonly url: string;
  /** Of an operator. */
  readonly token: string;
  ask(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: never }>;
  close(): Promise<void>;
}

/** The API in front of the worker and the servers of a bench, made as api/main.ts makes it. */
export async function startBenchApi({
  databases,
  client,
  box,
}: Pick<DeployBench, 'databases' | 'client' | 'box'>): Promise<BenchApi> {
  const sql = databases.ops;
  const keys = connect(databases.opsUrl, { name: 'holdfast-test-keys', max: 4 });
  const temporal = { client, connection: client.connection, close: async () => undefined };
  const qdrant = connectQdrant(servers().qdrant);
  const build = { build_sha: 'abc', build_time: '2025-01-01T00:00:00Z', build_branch: 'main' };
  const { data } = databases;
  const { namespace } = client.options;
  const parts = createParts({
    embeddings: createLexicalOnly('a test that embeds nothing'),
    webhookKey: () => Promise.resolve('a key of this test'),
    ...{
      sql,
      keys,
      data,
      sourceRoots: [],
      home: tmpdir(),
      env: process.env,
      temporal: temporal as never,
      qdrant,
      namespace,
      uiUrl: null,
      build,
      version: '0',
      thisBox: box,
    },
  });
  const log = createLogger('error', { write: () => undefined });
  const server = createServer(createApp({ host: '127.0.0.1', ...parts, log, box: 'bench' }).express);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { token } = await createTokenStore(sql).create({ actor: 'operator', role: 'operator' });
  return {
    url,
    token,
    async ask(method, path, body, headers = {}) {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as never };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await keys.end();
    },
  };
}
