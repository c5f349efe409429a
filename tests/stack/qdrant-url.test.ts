import getPort from 'get-port';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';
import { qdrantVersion } from '../../adapters/qdrant/version.ts';
import { ConfigError, loadConfig } from '../../infra/config.ts';
import { readyQdrant, versionNotice } from '../../infra/stack/qdrant/qdrant.ts';
import { startStack } from '../../infra/stack/stack.ts';
import type { StackError } from '../../infra/stack/stack-error.ts';
import { configFor, createFolder, listeningReport } from '../support/own-home.ts';
import { servers } from '../support/servers.ts';

const key = 'hunter2-secret';
const folder = createFolder();
const patience = { timeoutMs: 500, signal: new AbortController().signal };
afterAll(() => folder.remove());

async function refusal(url: string, apiKey: string | null): Promise<StackError> {
  const { databaseUrl, temporalAddress } = servers();
  const { lines, report } = listeningReport();
  const given = { DATABASE_URL: databaseUrl, TEMPORAL_ADDRESS: temporalAddress, QDRANT_URL: url };
  const config = configFor(folder.path, { ...given, QDRANT_API_KEY: apiKey ?? '' });
  const { signal } = patience;
  const error = await startStack(config, report, { apps: false, signal }).then(
    () => null,
    (reason: unknown) => reason as StackError,
  );
  expect(error).toMatchObject({ name: 'StackError', message: expect.stringMatching(/^[^\n]+$/) as string });
  expect(JSON.stringify([error?.message, error?.advice, error?.stack, lines])).not.toContain(key);
  return error as StackError;
}

/** Something that speaks HTTP and is no Qdrant. */
async function withStranger<T>(status: number, body: string, work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((_, response) => response.writeHead(status).end(body)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('a wrong QDRANT_URL is one clear line, without its key', () => {
  test('a port where nothing listens', async () => {
    const host = `127.0.0.1:${await getPort()}`;
    const { message, advice } = await refusal(`http://${host}`, key);
    expect(message).toBe(`Qdrant at ${host} cannot be used: ECONNREFUSED`);
    expect(advice).toContain('QDRANT_URL');
  });

  test.each([key, null])('a key that is wrong, or none, is not waited for: %j', async (wrong) => {
    const { url } = servers().qdrant;
    const { message, advice } = await refusal(url, wrong);
    expect(message).toBe(`Qdrant at ${new URL(url).host} cannot be used: it refuses the API key`);
    expect(advice).toBe('Check QDRANT_API_KEY.');
  });

  test.each([
    [200, '{"hello":"world"}'],
    [200, 'a page'],
    [404, ''],
  ])('something else that answers: %d %s', async (status, body) => {
    await withStranger(status, body, async (url) => {
      const { message } = await refusal(url, key);
      expect(message).toBe(`Qdrant at ${new URL(url).host} cannot be used: what answers is not Qdrant`);
    });
  });

  test('one that is not ready yet is waited for, to the end of patience', async () => {
    await withStranger(503, '', async (url) => {
      await expect(readyQdrant({ url, apiKey: null }, patience)).rejects.toThrow(/it answers 503$/);
    });
  });
});

test('a server that does not answer at all ends as a timeout, not as a wait for ever', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  await expect(qdrantVersion(connectQdrant({ url, apiKey: null }, 200))).rejects.toMatchObject({
    name: 'QdrantUnavailable',
    message: 'no answer in time',
  });
  silent.closeAllConnections();
  silent.close();
});

test.each([
  ['http://db.example:6333', 'http://db.example:6333'],
  ['http://db.example', 'http://db.example'],
  ['https://db.example/', 'https://db.example'],
  ['https://db.example:8443/qdrant/', 'https://db.example:8443/qdrant'],
])('%s is asked as it is written', (url, asked) => {
  expect(Reflect.get(connectQdrant({ url, apiKey: null }), '_restUri')).toBe(asked);
});

test.each(['1.17.0', '1.18.3'])('a Qdrant %s is what Holdfast is made for', (version) => {
  expect(versionNotice('http://x:6333', version)).toBeNull();
});

test.each(['1.16.3', '1.19.0', '1.1.18', '2.0.0'])('a Qdrant %s is used, and that is said', (version) => {
  expect(versionNotice('http://x:6333', version)).toBe(
    `Qdrant at x:6333 is ${version}; Holdfast is made for 1.17 and 1.18`,
  );
});

test('a password in QDRANT_URL is refused, without saying it', () => {
  const attempt = (): unknown => loadConfig({ QDRANT_URL: `http://u:${key}@x:6333` });
  expect(attempt).toThrow(ConfigError);
  expect(attempt).toThrow(/QDRANT_URL: .*QDRANT_API_KEY/);
  expect(attempt).not.toThrow(new RegExp(key));
});
