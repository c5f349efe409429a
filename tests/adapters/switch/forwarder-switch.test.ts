import getPort from 'get-port';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { currentKeeper } from '../../../adapters/process/instance-folder.ts';
import { findProcess } from '../../../adapters/process/identity.ts';
import { listenersOn } from '../../../adapters/process/listeners.ts';
import { until } from '../../support/box.ts';
import { compileTree } from '../../support/compile.ts';
import { makeClient } from './client.ts';
import { makeBench, service, type Bench, type Release } from './service-behind.ts';

const never = new AbortController().signal;
let bench: Bench;
let client: ReturnType<typeof makeClient>;
let first: Release;
let second: Release;

beforeEach(async () => {
  bench = await makeBench();
  client = makeClient(bench.traffic.listen.port);
  first = await bench.release('first');
  second = await bench.release('second');
});
afterEach(() => bench.close());

const instances = () => readdirSync(join(bench.folder(), 'instances'));
const answer = async () => (await client.ask('/', { agent: false })).body;
/** To the first release, that of the question included. */
async function openConnections(): Promise<number> {
  return (JSON.parse((await client.ask('/seen', { agent: false })).body) as { open: number }).open;
}
const gone = (pid: number) => until(() => findProcess(pid) === null);

async function pointed(): Promise<number> {
  await bench.forwarder.point(service, bench.traffic, first.port);
  return bench.pids()[0] ?? 0;
}

test('before the first point() there is nothing, and nothing is no error', async () => {
  expect(await bench.forwarder.current(service, bench.traffic)).toBeNull();
  expect(await bench.forwarder.drain(service, bench.traffic, never)).toEqual({ cut: 0 });
  await bench.forwarder.remove(service, bench.traffic);
  expect(bench.pids()).toEqual([]);
});

test('repeating point() changes nothing', async () => {
  const pid = await pointed();
  const before = readFileSync(join(bench.folder(), 'wanted.json'), 'utf8');
  await pointed();
  expect(readFileSync(join(bench.folder(), 'wanted.json'), 'utf8')).toBe(before);
  expect(bench.pids()).toEqual([pid]);
});

test('many point() at once, of several workers, make one forwarder', async () => {
  const workers = [bench.forwarder, bench.another().forwarder, bench.another().forwarder];
  const all = [...workers, ...workers, ...workers];
  await Promise.all(all.map((worker) => worker.point(service, bench.traffic, first.port)));
  expect(bench.pids()).toHaveLength(1);

  process.kill(bench.pids()[0] ?? 0, 'SIGKILL');
  await until(() => bench.pids().length === 0);
  await Promise.all(all.map((worker) => worker.point(service, bench.traffic, second.port)));
  expect(bench.pids()).toHaveLength(1);
  expect(await answer()).toBe('second');
});

test('a forwarder that was killed is started again, and what is left of it is cleaned away', async () => {
  for (let round = 0; round < 3; round += 1) {
    const pid = await pointed();
    process.kill(pid, 'SIGKILL');
    await gone(pid);
    expect(await bench.forwarder.current(service, bench.traffic)).toBeNull();
    expect(await bench.forwarder.drain(service, bench.traffic, never)).toEqual({ cut: 0 });
  }
  await bench.forwarder.point(service, bench.traffic, second.port);
  expect(await answer()).toBe('second');
  expect(instances()).toHaveLength(1);
});

test('after a reboot, which leaves only files, it is started again with the last target', async () => {
  const pid = await pointed();
  const [instance = ''] = instances();
  const keeper = currentKeeper(join(bench.folder(), 'instances', instance))?.pid ?? 0;
  process.kill(keeper, 'SIGKILL');
  process.kill(pid, 'SIGKILL');
  await Promise.all([gone(pid), gone(keeper)]);
  const state = join(bench.folder(), 'instances', instance, 'state.json');
  const before = JSON.parse(readFileSync(state, 'utf8')) as object;
  // The number is somebody else's after the boot.
  writeFileSync(state, JSON.stringify({ ...before, pid: process.pid, boot_id: 'of the boot before' }));

  const { forwarder } = bench.another();
  expect(await forwarder.current(service, bench.traffic)).toBeNull();
  await forwarder.point(service, bench.traffic, first.port);
  expect(await answer()).toBe('first');
});

test('without its keeper it goes on, and whoever looks gives it another', async () => {
  const pid = await pointed();
  const folder = join(bench.folder(), 'instances', instances()[0] ?? '');
  const keeper = currentKeeper(folder)?.pid ?? 0;
  process.kill(keeper, 'SIGKILL');
  await gone(keeper);
  expect(await answer()).toBe('first');
  expect(await bench.forwarder.current(service, bench.traffic)).toBe(first.port);
  await until(() => currentKeeper(folder)?.pid !== keeper);
  await bench.forwarder.point(service, bench.traffic, second.port);
  expect(bench.pids()).toEqual([pid]);
});

test('it outlives the worker that started it, and the next one finds it', async () => {
  const { program } = compileTree();
  const from = (path: string) => JSON.stringify(pathToFileURL(program(path)).href);
  const worker = `
    import { createProcessDriver } from ${from('adapters/process/driver.js')};
    import { createForwarderSwitch } from ${from('adapters/switch/forwarder-switch.js')};
    const [root, keeperPath, forwarderPath, traffic, port] = process.argv.slice(1);
    const processes = createProcessDriver({ root, keeperPath, env: process.env });
    const forwarder = createForwarderSwitch({ processes, root, forwarderPath });
    await forwarder.point('${service}', JSON.parse(traffic), Number(port));
    console.log('pointed');
    setInterval(() => {}, 1000);`;
  const told = [program('adapters/process/keeper.js'), program('adapters/switch/forwarder.js')];
  const argv = [bench.root, ...told, JSON.stringify(bench.traffic), String(first.port)];
  const child = spawn(process.execPath, ['--input-type=module', '-e', worker, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  await once(child.stdout, 'data');
  const [pid] = bench.pids();
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  await once(child, 'exit');

  expect(await answer()).toBe('first');
  const { forwarder } = bench.another();
  expect(await forwarder.current(service, bench.traffic)).toBe(first.port);
  await forwarder.point(service, bench.traffic, second.port);
  expect(await answer()).toBe('second');
  expect(bench.pids()).toEqual([pid]);
});

describe('a port that is taken', () => {
  test('is refused, saying by whom, and nothing is started', async () => {
    const other = await bench.release('somebody else', bench.traffic.listen.port);
    await expect(bench.forwarder.point(service, bench.traffic, first.port)).rejects.toMatchObject({
      name: 'GuardRefused',
      message: `port_in_use: 127.0.0.1:${bench.traffic.listen.port} is held by pid ${other.pid} (node). End that program, or give the service another traffic.listen.port`,
    });
    expect(bench.pids()).toEqual([]);
    expect(existsSync(join(bench.folder(), 'wanted.json'))).toBe(false);
    expect(await bench.forwarder.current(service, bench.traffic)).toBeNull();

    await other.kill();
    await pointed();
    expect(await answer()).toBe('first');
  });

  test('also on all addresses; a running forwarder is not given up for it', async () => {
    const pid = await pointed();
    const other = createServer().listen(0, '0.0.0.0');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const edited = { ...bench.traffic, listen: { host: '127.0.0.1', port } };
    await expect(bench.forwarder.point(service, edited, second.port)).rejects.toThrow(`port_in_use: 127.0.0.1:${port}`);
    other.close();
    expect(bench.pids()).toEqual([pid]);
  });

  test('by a leftover of our own, whose records are gone: it is used again', async () => {
    const pid = await pointed();
    rmSync(join(bench.folder(), 'instances'), { recursive: true });
    await bench.forwarder.point(service, bench.traffic, second.port);
    expect(bench.pids()).toEqual([pid]);
    expect(await answer()).toBe('second');

    rmSync(bench.folder(), { recursive: true, maxRetries: 3 });
    await bench.forwarder.point(service, bench.traffic, first.port);
    expect(bench.pids()).toEqual([pid]);
    expect(await answer()).toBe('first');
    expect(await bench.forwarder.current(service, bench.traffic)).toBe(first.port);
  });

  test.each([
    ['an address that this box does not have', '203.0.113.1', 'address_not_available: this box has no address'],
    ['an IPv6 address that this box does not have', '2001:db8::1', 'address_not_available: this box has no address'],
  ])('%s', async (_name, host, message) => {
    const traffic = { ...bench.traffic, listen: { ...bench.traffic.listen, host } };
    await expect(bench.forwarder.point(service, traffic, first.port)).rejects.toMatchObject({
      name: 'GuardRefused',
      message: expect.stringContaining(message) as string,
    });
    expect(bench.pids()).toEqual([]);
  });
});

describe('a `listen` that was edited', () => {
  test('another port: a new forwarder there, the old one ends when what it had is done', async () => {
    const pid = await pointed();
    const slow = client.ask('/slow?ms=1500', { agent: false });
    await until(async () => (await openConnections()) === 2);
    const edited = { ...bench.traffic, listen: { host: '127.0.0.1', port: await getPort() } };
    expect(await bench.forwarder.current(service, edited)).toBeNull();
    await bench.forwarder.point(service, edited, first.port);
    expect(await slow).toMatchObject({ status: 200, body: 'first' });
    expect((await makeClient(edited.listen.port).ask('/', { agent: false })).body).toBe('first');
    expect(listenersOn(bench.traffic.listen.port)).toEqual([]);
    expect(bench.pids()).toHaveLength(1);
    expect(bench.pids()).not.toEqual([pid]);
  });

  test('another address of the same port', async () => {
    const pid = await pointed();
    const edited = { ...bench.traffic, listen: { ...bench.traffic.listen, host: '0.0.0.0' } };
    await bench.forwarder.point(service, edited, second.port);
    expect(listenersOn(edited.listen.port)).toEqual([{ pid: bench.pids()[0], address: '0.0.0.0' }]);
    expect(bench.pids()).not.toContain(pid);
    expect(await answer()).toBe('second');
  });

  test('IPv6', async () => {
    const edited = { ...bench.traffic, listen: { ...bench.traffic.listen, host: '::1' } };
    await bench.forwarder.point(service, edited, first.port);
    const { body } = await client.ask('/', { host: '::1', agent: false });
    expect(body).toBe('first');
  });
});

test('what is wanted cannot be read: it goes on as before, until somebody says it anew', async () => {
  const pid = await pointed();
  writeFileSync(join(bench.folder(), 'wanted.json'), '{"epoch": 7, "po');
  await until(() => existsSync(join(bench.folder(), 'wanted.json')));
  expect(await answer()).toBe('first');
  await bench.forwarder.point(service, bench.traffic, second.port);
  expect(await answer()).toBe('second');
  expect(bench.pids()).toEqual([pid]);
});

test('no release has traffic yet: it says so', async () => {
  await pointed();
  rmSync(join(bench.folder(), 'wanted.json'));
  process.kill(bench.pids()[0] ?? 0, 'SIGKILL');
  await until(() => bench.pids().length === 0);
  const instance = instances()[0]?.replace(/\d+$/, '99') ?? '';
  const argv = [process.execPath, compileTree().program('adapters/switch/forwarder.js'), bench.folder(), instance];
  const listen = [bench.traffic.listen.host, String(bench.traffic.listen.port)];
  const order = { service, release_id: 'forwarder', instance, cwd: bench.root, env: {} };
  await bench.processes.start({ ...order, argv: [...argv, ...listen] });
  await until(() => listenersOn(bench.traffic.listen.port).length === 1);
  expect(await client.ask('/', { agent: false })).toMatchObject({ status: 503 });
  // And one that is found so is used.
  await bench.forwarder.point(service, bench.traffic, first.port);
  expect(await answer()).toBe('first');
  expect(bench.pids()).toHaveLength(1);
});

test('remove() lets what is under way end, and leaves nothing', async () => {
  await pointed();
  const slow = client.ask('/slow?ms=1000', { agent: false });
  await until(async () => (await openConnections()) === 2);
  await bench.forwarder.remove(service, bench.traffic);
  expect(await slow).toMatchObject({ status: 200, body: 'first' });
  expect(bench.pids()).toEqual([]);
  expect(existsSync(bench.folder())).toBe(false);
  await pointed();
  expect(await answer()).toBe('first');
});
