import { Client, Connection } from '@temporalio/client';
import getPort, { clearLockedPorts } from 'get-port';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../adapters/postgres/connect.ts';
import { connectQdrant } from '../../adapters/qdrant/connect.ts';
import type { Config } from '../../infra/config.ts';
import { prepareHome, secret } from '../../infra/stack/home.ts';
import { reservePorts } from '../../infra/stack/ports.ts';
import { startStack, type Stack } from '../../infra/stack/stack.ts';
import { hasItsPort } from '../../infra/stack/temporal/temporal.ts';
import { AlreadyRunning } from '../../infra/stack/supervisor-lock.ts';
import { configFor, createFolder, listeningReport } from '../support/own-home.ts';

const folder = createFolder();
const options = { apps: false, signal: new AbortController().signal };
let config: Config;
let stack: Stack;
let said: string[];
let squatter: Server;
let taken: number;

beforeAll(async () => {
  squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  taken = (squatter.address() as { port: number }).port;
  config = configFor(folder.path, {
    HOLDFAST_POSTGRES_PORT: String(taken),
    HOLDFAST_TEMPORAL_PORT: String(await getPort()),
    HOLDFAST_TEMPORAL_UI_PORT: String(await getPort()),
    HOLDFAST_QDRANT_PORT: String(await getPort()),
  });
  clearLockedPorts();
  const { lines, report } = listeningReport();
  said = lines;
  stack = await startStack(config, report, options);
}, 60_000);

afterAll(async () => {
  squatter.close();
  await stack.stop();
  folder.remove();
}, 60_000);

/** SIGKILL; returns when another process is there in its place. */
async function kill(name: string): Promise<void> {
  const part = stack.parts.find((one) => one.name === name);
  const pid = part?.pid();
  if (part === undefined || pid == null) throw new Error(`${name} does not run`);
  process.kill(pid, 'SIGKILL');
  while (part.pid() === pid || part.pid() === null) await sleep(20);
}

async function untilItAnswers<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(100);
    }
  }
}

function portOfPostgres(): number {
  return Number(new URL(stack.database_url).port);
}

test('a port that is taken is replaced by another one, and that is said', () => {
  expect(portOfPostgres()).not.toBe(taken);
  expect(said.join('\n')).toContain(`port ${taken} is taken: postgres listens on ${portOfPostgres()}`);
});

test('a second supervisor of the same data folder is refused, and the first goes on', async () => {
  const pids = stack.parts.map((part) => part.pid());
  await expect(startStack(config, listeningReport().report, options)).rejects.toThrow(AlreadyRunning);
  expect(stack.parts.map((part) => part.pid())).toEqual(pids);
});

test('Postgres that is killed comes back with its data', async () => {
  const sql = connect(stack.database_url, { name: 'holdfast-test', max: 1 });
  await sql`create table kept as select 42 as answer`;
  await kill('postgres');
  expect(await untilItAnswers(() => sql`select answer from kept`)).toEqual([{ answer: 42 }]);
  await sql.end();
  expect(said.join('\n')).toMatch(/postgres ended \(SIGKILL\); it is started again in 0\.2 s\. Log: .*postgres\.log/);
});

test('Temporal that is killed comes back with its workflows', async () => {
  const connection = await Connection.connect({ address: stack.temporal_address });
  const client = new Client({ connection, namespace: config.temporal.namespace });
  const handle = await client.workflow.start('waiting', { taskQueue: 'nobody', workflowId: 'kept' });
  await kill('temporal');
  const found = await untilItAnswers(() => client.workflow.getHandle('kept').describe());
  expect(found).toMatchObject({ runId: handle.firstExecutionRunId, status: { name: 'RUNNING' } });
  await connection.close();
}, 30_000);

test('Qdrant that is killed comes back with what it has acknowledged, once the killed one is gone', async () => {
  const client = connectQdrant(stack.qdrant);
  await client.createCollection('kept', { vectors: { size: 2, distance: 'Dot' } });
  await client.upsert('kept', { wait: true, points: [{ id: 42, vector: [1, 0], payload: { answer: 42 } }] });
  await kill('qdrant');
  const points = await untilItAnswers(() => client.retrieve('kept', { ids: [42] }));
  expect(points).toMatchObject([{ id: 42, payload: { answer: 42 } }]);
  expect(said.join('\n')).toContain('qdrant ended (SIGKILL); it is started again in 0.2 s.');
  expect(readFileSync(join(stack.home.logs, 'qdrant.log'), 'utf8')).not.toMatch(/in use|exit(ed)? 101/);
}, 30_000);

test('Qdrant listens on the loopback interface, and lets in who has its key, for reading or for both', async () => {
  const { url, apiKey } = stack.qdrant;
  const readOnlyKey = await secret(stack.home, 'qdrant-read-only-key');
  const ask = async (key: string | null, method = 'GET'): Promise<number> => {
    const headers = key === null ? {} : { 'api-key': key };
    return (await fetch(`${url}/collections/${method === 'GET' ? 'kept' : 'none'}`, { method, headers })).status;
  };
  expect([await ask(null), await ask('wrong'), await ask(apiKey), await ask(readOnlyKey)]).toEqual([
    401, 401, 200, 200,
  ]);
  expect([await ask(apiKey, 'DELETE'), await ask(readOnlyKey, 'DELETE')]).toEqual([200, 403]);
  expect(statSync(join(stack.home.secrets, 'qdrant-api-key')).mode & 0o777).toBe(0o600);
  const pid = stack.parts.find(({ name }) => name === 'qdrant')?.pid() ?? 0;
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(apiKey);
  const port = Number(new URL(url).port);
  expect(listenersOf(port)).toEqual(['127.0.0.1']);
});

/** Addresses on which this machine listens at the port. */
function listenersOf(port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').split('\n'));
  const rows = lines.map((line) => line.trim().split(/\s+/)).filter(([, , , state]) => state === '0A');
  const mine = rows.map(([, local = '']) => local.split(':')).filter(([, at]) => at === hex);
  return mine.map(([address = '']) => (address === '0100007F' ? '127.0.0.1' : address));
}

test('after a stop nothing of it runs; the next start has the same ports and the same data', async () => {
  const before = stack;
  const pids = before.parts.map((part) => part.pid() ?? 0);
  await before.stop();
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  // A second start is another process; in this one, ports that were given out are kept back for a while.
  clearLockedPorts();
  const { lines, report } = listeningReport();
  stack = await startStack(config, report, options);
  expect(stack.database_url).toBe(before.database_url);
  expect(stack.temporal_address).toBe(before.temporal_address);
  expect(stack.qdrant).toEqual(before.qdrant);
  expect(lines.join('\n')).not.toMatch(/(postgres|temporal|qdrant) listens on/);
  expect(await connectQdrant(stack.qdrant).count('kept')).toEqual({ count: 1 });
  const sql = connect(stack.database_url, { name: 'holdfast-test', max: 1 });
  expect(await sql`select answer from kept`).toEqual([{ answer: 42 }]);
  await sql.end();
}, 60_000);

test('two data folders that start at the same time are given ports of their own', async () => {
  const [one, other] = [createFolder(), createFolder()];
  const wanted = { postgres: await getPort(), temporal: await getPort(), temporal_ui: await getPort() };
  const all = { ...wanted, qdrant: await getPort(), api: await getPort() };
  const reserve = async (path: string) => {
    // As in another process, which knows nothing of what this one was given.
    clearLockedPorts();
    return reservePorts(await prepareHome(configFor(path)), all, () => undefined);
  };
  const first = await reserve(one.path);
  const second = await reserve(other.path);
  expect(first.ports).toEqual(all);
  const names = Object.keys(all) as (keyof typeof all)[];
  expect(names.filter((name) => Object.values(all).includes(second.ports[name]))).toEqual([]);
  await first.free(...names);
  await second.freeAll();
  const third = await reserve(one.path);
  expect(third.ports).toEqual(all);
  await third.freeAll();
  one.remove();
  other.remove();
});

test('a Temporal that has our port all the same is never taken for ours', () => {
  const part = (pid: number) => ({ name: 'temporal', pid: () => pid, stop: () => Promise.resolve() });
  const port = Number(stack.temporal_address.split(':')[1]);
  const pid = stack.parts.find(({ name }) => name === 'temporal')?.pid() ?? 0;
  expect(hasItsPort(part(pid), port)).toBe(true);
  expect(() => hasItsPort(part(process.pid), port)).toThrow(`was taken meanwhile by process ${pid}`);
});

test('where nobody listens yet, it is not there yet', async () => {
  const part = { name: 'temporal', pid: () => process.pid, stop: () => Promise.resolve() };
  expect(hasItsPort(part, await getPort())).toBe(false);
});
