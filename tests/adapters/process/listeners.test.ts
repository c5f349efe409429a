import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { listenersInTheWay, listenersOn } from '../../../adapters/process/listeners.ts';

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function listen(host: string): Promise<number> {
  const server = createServer();
  open.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test.each(['127.0.0.1', '0.0.0.0', '::1', '::'])('who listens on %s', async (address) => {
  const port = await listen(address);
  expect(listenersOn(port)).toEqual([{ pid: process.pid, address }]);
});

test('nobody, and a connection alone, are nobody', async () => {
  const port = await listen('127.0.0.1');
  open.pop()?.close();
  expect(listenersOn(port)).toEqual([]);
});

test('of another process', async () => {
  const script = 'const s = require("net").createServer().listen(0, "127.0.0.1", () => console.log(s.address().port))';
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  expect(listenersOn(Number(chunk.toString()))).toEqual([{ pid: child.pid, address: '127.0.0.1' }]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(listenersOn(Number(chunk.toString()))).toEqual([]);
});

test.each([
  ['127.0.0.1', '127.0.0.1', 1],
  ['127.0.0.1', '0.0.0.0', 1],
  ['127.0.0.1', '::', 1],
  ['127.0.0.1', '127.0.0.2', 0],
  ['127.0.0.1', '::1', 0],
  ['0.0.0.0', '127.0.0.2', 1],
  ['0.0.0.0', '::1', 0],
  ['::', '127.0.0.1', 1],
  ['::1', '0:0:0:0:0:0:0:1', 1],
])('what listens on %s is in the way of %s: %i', async (there, wanted, count) => {
  const port = await listen(there);
  expect(listenersInTheWay(wanted, port)).toHaveLength(count);
  // What the kernel says to that.
  const server = createServer();
  const outcome = new Promise((resolve) => {
    server.once('error', () => resolve(1));
    server.once('listening', () => resolve(0));
  });
  server.listen(port, wanted);
  expect(await outcome).toBe(count);
  server.close();
});
