import { findProcess } from '../../../adapters/process/identity.ts';
import { makeBox, service, until, type Box } from '../../support/box.ts';

const forever = 'setInterval(() => {}, 1000)';
const child = (options: string, script = forever) =>
  `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(script)}], ${options}).unref();`;

let box: Box;
beforeAll(() => {
  box = makeBox();
});
afterAll(() => box.close());

async function running(script: string, processes: number) {
  const instance = box.instance();
  const { pid } = await box.processes.start(box.request(instance, script));
  await until(() => box.pids(instance).length === processes);
  return { instance, pid: pid ?? 0 };
}

const stop = (instance: string, timeout_ms: number, signal?: AbortSignal) =>
  box.processes.stop(service, instance, { timeout_ms, signal });

test('a program may end in its own way', async () => {
  const script = `process.on('SIGTERM', () => { console.log('ending'); process.exit(5); }); ${forever}; console.log('up')`;
  const { instance } = await running(script, 1);
  await until(() => box.log(instance).includes('up'));
  expect(await stop(instance, 5_000)).toMatchObject({ running: false, exit_code: 5 });
  expect(box.log(instance)).toBe('up\nending\n');
  expect(await stop(instance, 5_000)).toMatchObject({ running: false, exit_code: 5 });
});

test('one that does not listen is killed after its time', async () => {
  const { instance } = await running(`process.on('SIGTERM', () => {}); ${forever}; console.log('up')`, 1);
  await until(() => box.log(instance).includes('up'));
  const began = Date.now();
  expect(await stop(instance, 400)).toMatchObject({ running: false, exit_signal: 'SIGKILL' });
  expect(Date.now() - began).toBeGreaterThanOrEqual(400);
});

test('children go with it, those that left its group and those whose parent is gone too', async () => {
  const deaf = `process.on('SIGTERM', () => {}); ${forever}`;
  const { instance } = await running(`${child('{}', deaf)} ${child('{ detached: true }', deaf)} ${forever}`, 3);
  expect(await stop(instance, 300)).toMatchObject({ running: false });
  expect(box.pids(instance)).toEqual([]);
});

test('what a program left behind when it ended by itself is found and stopped', async () => {
  const { instance } = await running(`${child('{ detached: true, stdio: "ignore" }')} setTimeout(() => {}, 500)`, 2);
  await until(async () => !(await box.processes.inspect(service, instance)).running);
  const [left] = await box.processes.alive(service);
  expect(left).toEqual({ instance, pid: box.pids(instance)[0] });
  expect(await stop(instance, 2_000)).toMatchObject({ running: false, exit_code: 0 });
  expect(await box.processes.alive(service)).toEqual([]);
});

test('one that no longer shows its labels is found by its state file', async () => {
  const instance = box.instance();
  const request = box.request(instance, `console.log('up'); ${forever}`);
  const { pid } = await box.processes.start({ ...request, argv: ['env', '-i', ...request.argv] });
  await until(() => box.log(instance).includes('up'));
  expect(box.pids(instance)).toEqual([]);
  expect(await box.processes.alive(service)).toEqual([{ instance, pid }]);
  expect(await stop(instance, 2_000)).toMatchObject({ running: false, exit_signal: 'SIGTERM' });
});

test('a suspended program can be stopped', async () => {
  const { instance, pid } = await running(forever, 1);
  process.kill(pid, 'SIGSTOP');
  expect(await stop(instance, 2_000)).toMatchObject({ running: false, exit_signal: 'SIGTERM' });
});

test('a start that comes after the stop starts nothing', async () => {
  const instance = box.instance();
  await stop(instance, 100);
  expect(await box.processes.start(box.request(instance, forever))).toMatchObject({ running: false, started_at: null });
  expect(box.pids(instance)).toEqual([]);
});

test('a stop that is called off says so and can be made again', async () => {
  const { instance, pid } = await running(`process.on('SIGTERM', () => {}); ${forever}; console.log('up')`, 1);
  await until(() => box.log(instance).includes('up'));
  await expect(stop(instance, 60_000, AbortSignal.timeout(200))).rejects.toThrow();
  expect(findProcess(pid)).not.toBeNull();
  expect(await stop(instance, 0)).toMatchObject({ running: false, exit_signal: 'SIGKILL' });
});
