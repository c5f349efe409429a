import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootId, findProcess, identityOf, isAlive, startedAt } from '../../../adapters/process/identity.ts';
import { neverRan, writeState } from '../../../adapters/process/instance-folder.ts';
import { makeBox, service, until, type Box } from '../../support/box.ts';

const forever = 'setInterval(() => {}, 1000)';

let box: Box;
beforeAll(() => {
  box = makeBox();
});
afterAll(() => box.close());

async function started(script: string, more = {}) {
  const instance = box.instance();
  const state = await box.processes.start(box.request(instance, script, more));
  return { instance, state, pid: state.pid ?? 0 };
}

test('a program gets its labels, its own environment and nothing else of the worker', async () => {
  const script = 'console.log(JSON.stringify(process.env)); setInterval(() => {}, 1000)';
  process.env['HOLDFAST_TEST_SECRET'] = 'of the worker';
  const { instance, state } = await started(script, { env: { OWN: 'own', HOLDFAST_INSTANCE: 'forged' } });
  delete process.env['HOLDFAST_TEST_SECRET'];

  expect(state).toMatchObject({ exists: true, running: true, restart_count: 0, exit_code: null, exit_signal: null });
  expect(Date.now() - Date.parse(state.started_at ?? '')).toBeLessThan(10_000);
  await until(() => box.log(instance).includes('\n'));
  const seen = JSON.parse(box.log(instance)) as Record<string, string>;
  expect(seen).toMatchObject({
    OWN: 'own',
    HOLDFAST_SERVICE: service,
    HOLDFAST_INSTANCE: instance,
    HOLDFAST_RELEASE: 'a'.repeat(40),
    PATH: process.env['PATH'],
  });
  expect(seen).not.toHaveProperty('HOLDFAST_TEST_SECRET');
  expect(seen).not.toHaveProperty('HOLDFAST_KEEPER');
});

test('the environment is in no file and no command line of the instance', async () => {
  const { instance } = await started(forever, { env: { PASSWORD: 'hunter2-secret' } });
  for (const name of await readdir(box.folder(instance))) {
    if (name !== 'output') expect(readFileSync(join(box.folder(instance), name), 'utf8')).not.toContain('hunter2');
  }
  expect(readFileSync(`/proc/${box.keeperPid(instance)}/cmdline`, 'utf8')).not.toContain('hunter2');
});

test('many starts of one instance at once make exactly one process', async () => {
  const instance = box.instance();
  const request = box.request(instance, forever);
  const drivers = [box.processes, box.driver(), box.driver()];
  const states = await Promise.all([...drivers, ...drivers].map((driver) => driver.start(request)));
  expect(new Set(states.map(({ pid }) => pid)).size).toBe(1);
  expect(box.pids(instance)).toEqual([states[0]?.pid]);
});

test('starting an instance again answers what became of it and starts nothing', async () => {
  const { instance } = await started('process.exit(7)');
  await until(async () => (await box.processes.inspect(service, instance)).exit_code === 7);
  expect(await box.processes.start(box.request(instance, forever))).toMatchObject({ running: false, exit_code: 7 });
  expect(box.pids(instance)).toEqual([]);
});

test('the exit code is remembered when keeper and program are long gone, by any driver', async () => {
  const { instance } = await started('console.log("bye"); process.exit(3)');
  await until(async () => !(await box.processes.inspect(service, instance)).running);
  await until(() => findProcess(box.keeperPid(instance)) === null);
  const expected = { exists: true, running: false, pid: null, exit_code: 3, exit_signal: null };
  expect(await box.driver().inspect(service, instance)).toMatchObject(expected);
  expect(box.log(instance)).toBe('bye\n');
});

test('the signal that ended a program is remembered', async () => {
  const { instance, pid } = await started(forever);
  process.kill(pid, 'SIGKILL');
  await until(async () => !(await box.processes.inspect(service, instance)).running);
  const ended = await box.processes.inspect(service, instance);
  expect(ended).toMatchObject({ exit_code: null, exit_signal: 'SIGKILL' });
});

test.each([
  ['not there', () => ['/no/such/program'], 127],
  ['not executable', (box: Box) => [notExecutable(box)], 126],
])('a program that is %s counts as exited, with the reason in the log', async (_name, argv, exit_code) => {
  const { instance, state } = await started('', { argv: argv(box) });
  expect(state).toMatchObject({ exists: true, running: false, exit_code, started_at: null });
  expect(box.log(instance)).toMatch(/^\[holdfast\] .* could not be started in .*: spawn .* E(NOENT|ACCES)\n$/);
});

function notExecutable({ root }: Box): string {
  const path = join(root, 'plain-file');
  writeFileSync(path, 'no program');
  chmodSync(path, 0o644);
  return path;
}

test('a folder that is not there counts as a program that could not be started', async () => {
  const { state } = await started(forever, { cwd: join(box.root, 'nowhere') });
  expect(state).toMatchObject({ running: false, exit_code: 127 });
});

test('signals that stop the stack leave keeper and program alone', async () => {
  const { instance, pid } = await started(forever);
  const keeper = box.keeperPid(instance);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(keeper, signal);
  await sleep(200);
  expect(findProcess(keeper)).not.toBeNull();
  expect(findProcess(pid)?.pgrp).toBe(pid);
  expect(findProcess(keeper)?.pgrp).toBe(keeper);
});

describe('what is not ours is not taken for ours', () => {
  const self = identityOf(process.pid);
  const at = { started_at: new Date().toISOString() };

  test.each([
    ['a pid that was used again', { pid: process.pid, start_time: (self?.start_time ?? 0) - 1, boot_id: bootId() }],
    ['a pid from before a reboot', { ...self, boot_id: '00000000-0000-0000-0000-000000000000' }],
    ['a pid that nobody has', { pid: 4_194_303, start_time: 1, boot_id: bootId() }],
  ])('%s', async (_name, identity) => {
    const instance = box.instance();
    await mkdir(box.folder(instance), { recursive: true });
    writeState(box.folder(instance), { ...neverRan, ...at, ...identity });
    const dead = { exists: true, running: false, pid: null, exit_code: null, exit_signal: null };
    expect(await box.processes.inspect(service, instance)).toMatchObject(dead);
    // This very process is the one that a careless stop would end.
    expect(await box.processes.stop(service, instance, { timeout_ms: 100 })).toMatchObject(dead);
    expect((await box.processes.alive(service)).map((each) => each.instance)).not.toContain(instance);
    expect(await box.processes.start(box.request(instance, forever))).toMatchObject(dead);
  });

  test('a process of the same name under another home', async () => {
    const other = makeBox();
    const instance = other.instance();
    await other.processes.start(other.request(instance, forever));
    expect((await box.processes.alive(service)).map((each) => each.instance)).not.toContain(instance);
    expect(await other.processes.alive(service)).toHaveLength(1);
    await other.close();
  });
});

test('D1 a program that forks twice has ended, as its exit code says; what it left is found and stopped', async () => {
  const away = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(forever)}], { detached: true, stdio: 'ignore' }).unref()`;
  const first = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(away)}], { detached: true, stdio: 'ignore' }).unref()`;
  const { instance } = await started(first);
  await until(async () => (await box.processes.inspect(service, instance)).exit_code === 0);
  // The one in between has `spawn` in its command line, and may take a while to start the last.
  const isLast = (pid: number) => {
    const path = `/proc/${pid}/cmdline`;
    return existsSync(path) && !spawnSync('cat', [path], { encoding: 'utf8' }).stdout.includes('spawn');
  };
  await until(() => box.pids(instance).length === 1 && box.pids(instance).every(isLast));
  const left = box.pids(instance)[0] ?? 0;
  expect(await box.driver().inspect(service, instance)).toMatchObject({ running: false, exit_code: 0 });
  expect((await box.processes.alive(service)).filter((each) => each.instance === instance)).toEqual([
    { instance, pid: left },
  ]);
  await box.processes.prune(service, []);
  expect(existsSync(box.folder(instance))).toBe(true);

  expect(await box.processes.stop(service, instance, { timeout_ms: 2_000 })).toMatchObject({ exit_code: 0 });
  expect(findProcess(left)).toBeNull();
});

test('D1 a child with an environment and a session of its own goes with the program that it comes from', async () => {
  const script = `const { pid } = require('node:child_process').spawn('env', ['-i', process.execPath, '-e', ${JSON.stringify(`process.title = 'x'; ${forever}`)}], { detached: true, stdio: 'ignore' }); console.log(pid); ${forever}`;
  const { instance } = await started(script);
  await until(() => /^\d+\n/.test(box.log(instance)));
  const child = Number(box.log(instance));
  await until(() => findProcess(child) !== null && !box.pids(instance).includes(child));
  expect(await box.processes.owns(service, child)).toBe(true);
  await box.processes.stop(service, instance, { timeout_ms: 2_000 });
  expect(findProcess(child)).toBeNull();
});

test('D1 the time of the start stays the same, whoever says it: another one would be another start', async () => {
  const { instance, state, pid } = await started(forever);
  const identity = identityOf(pid);
  if (identity === null) throw new Error('no process');
  expect(state.started_at).toBe(startedAt(identity));
  process.kill(box.keeperPid(instance), 'SIGKILL');
  await until(() => findProcess(box.keeperPid(instance)) === null);
  rmSync(join(box.folder(instance), 'state.json'));
  const looks = [];
  for (let look = 0; look < 5; look += 1) {
    looks.push((await box.driver().inspect(service, instance)).started_at);
    await sleep(35);
  }
  await box.driver().start(box.request(instance, forever));
  looks.push((await box.processes.inspect(service, instance)).started_at);
  expect(new Set(looks)).toEqual(new Set([state.started_at]));
});

test('D1 whose a process is: the programs of a service and their children, and nobody else', async () => {
  const { instance, pid } = await started(
    `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(forever)}]); ${forever}`,
  );
  await until(() => box.pids(instance).length === 2);
  for (const own of box.pids(instance)) expect(await box.processes.owns(service, own)).toBe(true);
  expect(await box.processes.owns('other', pid)).toBe(false);
  expect(await box.processes.owns(service, process.pid)).toBe(false);
  expect(await box.processes.owns(service, 4_194_303)).toBe(false);
});

test('D1 a name can be used again only when it is forgotten, and nothing that runs is forgotten', async () => {
  const { instance, pid } = await started(forever);
  await box.processes.forget(service, instance);
  expect(await box.processes.inspect(service, instance)).toMatchObject({ running: true, pid });
  await box.processes.stop(service, instance, { timeout_ms: 2_000 });
  await box.processes.forget(service, instance);
  expect(await box.processes.inspect(service, instance)).toMatchObject({ exists: false });
  expect(await box.processes.start(box.request(instance, forever))).toMatchObject({ running: true });
});

test('an instance that was never started does not exist', async () => {
  const state = await box.processes.inspect(service, 'never');
  expect(state).toMatchObject({ exists: false, running: false, pid: null, started_at: null });
});

test.each(['../up', 'a/b', '', '.hidden', 'x'.repeat(129)])('%j is no name of an instance', async (name) => {
  await expect(box.processes.inspect(service, name)).rejects.toThrow('Not the name of an instance');
  await expect(box.processes.inspect('../web', 'ok')).rejects.toThrow('Not the name of a service');
});

test('alive names the first process of each instance, and prune removes only what is dead and not kept', async () => {
  const living = await started(
    `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(forever)}]); ${forever}`,
  );
  const dead = await started('process.exit(0)');
  const kept = await started('process.exit(0)');
  await until(() => box.pids(living.instance).length === 2);
  await until(async () => (await box.processes.inspect(service, dead.instance)).exit_code === 0);
  await until(async () => (await box.processes.inspect(service, kept.instance)).exit_code === 0);

  const alive = (await box.processes.alive(service)).filter((each) => each.instance === living.instance);
  expect(alive).toEqual([{ instance: living.instance, pid: living.pid }]);
  await box.processes.prune(service, [kept.instance]);
  expect(existsSync(box.folder(dead.instance))).toBe(false);
  expect(existsSync(box.folder(kept.instance))).toBe(true);
  expect(isAlive(identityOf(living.pid) ?? { pid: 0, start_time: 0, boot_id: '' })).toBe(true);
  expect(existsSync(box.folder(living.instance))).toBe(true);
});
