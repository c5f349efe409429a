import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { findLabelled, findProcess, identityOf } from '../../../adapters/process/identity.ts';
import { claim } from '../../../adapters/process/instance-folder.ts';
import { makeBox, service, until, type Box, keeperPath } from '../../support/box.ts';

const forever = 'setInterval(() => {}, 1000)';
/** Says a number every 2 ms; far more than a pipe holds, if nobody reads. */
const counting = 'let n = 0; setInterval(() => console.log(`line ${n++} ${"x".repeat(500)}`), 2)';

let box: Box;
beforeAll(() => {
  box = makeBox();
});
afterAll(() => box.close());

const numbersIn = (log: string) => [...log.matchAll(/^line (\d+) x{500}$/gm)].map((match) => Number(match[1]));
const upTo = (count: number) => Array.from({ length: count }, (_each, index) => index);

async function dead(pid: number): Promise<void> {
  await until(() => findProcess(pid) === null);
}

test('no line is lost or cut over many rotations, and old segments go', async () => {
  const instance = box.instance();
  const script = 'for (let n = 0; n < 5000; n++) console.log(`line ${n} ${"x".repeat(500)}`)';
  const limits = { segment_bytes: 100_000, segments: 100 };
  await box.driver(limits).start(box.request(instance, script));
  await until(async () => (await box.processes.inspect(service, instance)).exit_code === 0);
  expect(numbersIn(box.log(instance))).toEqual(upTo(5000));

  const few = box.instance();
  await box.driver({ segment_bytes: 100_000, segments: 3 }).start(box.request(few, script));
  await until(async () => (await box.processes.inspect(service, few)).exit_code === 0);
  const segments = readdirSync(box.folder(few)).filter((name) => /^log\.\d+$/.test(name));
  expect(segments).toHaveLength(3);
  for (const name of segments) {
    const text = readFileSync(join(box.folder(few), name), 'utf8');
    expect(text).toMatch(/^(line \d+ x{500}\n)*$/);
    expect(text.length).toBeLessThan(101_000);
  }
  expect(numbersIn(box.log(few)).at(-1)).toBe(4999);
});

test('output right before the end is in the log when the exit is', async () => {
  for (let round = 0; round < 5; round += 1) {
    const instance = box.instance();
    await box.processes.start(
      box.request(instance, 'process.stdout.write("x".repeat(60000) + "\\nlast"); process.exit(1)'),
    );
    await until(async () => (await box.processes.inspect(service, instance)).exit_code === 1);
    expect(box.log(instance)).toHaveLength(60_005);
  }
});

test('a full disk costs log lines, which are counted, and nothing else', async () => {
  const instance = box.instance();
  await mkdir(box.folder(instance), { recursive: true });
  symlinkSync('/dev/full', join(box.folder(instance), 'log.1'));
  await box.processes.start(box.request(instance, 'for (let n = 0; n < 9; n++) console.log(n); process.exitCode = 4'));
  await until(async () => !(await box.processes.inspect(service, instance)).running);
  expect(await box.processes.inspect(service, instance)).toMatchObject({ exit_code: 4 });
});

test('after a full disk the log goes on at the beginning of a line and says how many are missing', async () => {
  const instance = box.instance();
  await box.processes.start(box.request(instance, counting));
  await until(() => numbersIn(box.log(instance)).length > 20);
  const limit = (bytes: string) =>
    execFileSync('prlimit', ['--pid', String(box.keeperPid(instance)), `--fsize=${bytes}:`]);
  const size = () => statSync(join(box.folder(instance), 'log.1')).size;
  // As far as the keeper can tell, a disk with room for so much.
  const room = size() + 15_000;
  limit(String(room));
  // Before the limit was set it may have gone beyond.
  const most = Math.max(room, size());
  await until(() => size() > room - 1_000);
  await sleep(200);
  expect(size()).toBeLessThanOrEqual(most);
  limit('unlimited');
  await until(() => box.log(instance).includes('are lost'));
  await box.processes.stop(service, instance, { timeout_ms: 2_000 });

  const log = box.log(instance);
  const lost = Number(/^\[holdfast\] (\d+) lines could not be written and are lost$/m.exec(log)?.[1]);
  const [before = '', after = ''] = log.split(/^\[holdfast\].*$/m);
  const [last = 0, first = 0] = [numbersIn(before).at(-1), numbersIn(after)[0]];
  expect(
    log.split('\n').filter((line) => line !== '' && !/^line \d+ x{500}$|^\[holdfast\]/.test(line)).length,
  ).toBeLessThan(2);
  expect(first - last - 1).toBe(lost);
});

test('a program outlives its keeper, writes on, and is given another', async () => {
  const instance = box.instance();
  const { pid } = await box.processes.start(box.request(instance, counting));
  const first = box.keeperPid(instance);
  await until(() => numbersIn(box.log(instance)).length > 50);
  process.kill(first, 'SIGKILL');
  await dead(first);
  await sleep(700); // Long enough for its pipe to fill up.

  expect(await box.driver().inspect(service, instance)).toMatchObject({ running: true, pid });
  await until(() => box.keeperPid(instance) !== first);
  const before = numbersIn(box.log(instance)).length;
  await until(() => numbersIn(box.log(instance)).length > before + 500);
  expect(box.log(instance)).toContain('[holdfast] another keeper took over');
  expect(box.pids(instance)).toEqual([pid]);

  const ended = await box.processes.stop(service, instance, { timeout_ms: 2_000 });
  expect(ended).toMatchObject({ exists: true, running: false, exit_code: null, exit_signal: null });
  const kept = numbersIn(box.log(instance));
  expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
});

test('keeper and program both dead: not running, and how it ended is not made up', async () => {
  const instance = box.instance();
  const { pid } = await box.processes.start(box.request(instance, forever));
  process.kill(box.keeperPid(instance), 'SIGKILL');
  process.kill(pid ?? 0, 'SIGKILL');
  await dead(pid ?? 0);
  const state = await box.driver().inspect(service, instance);
  expect(state).toMatchObject({ exists: true, running: false, pid: null, exit_code: null, exit_signal: null });
  expect(await box.processes.start(box.request(instance, forever))).toMatchObject({ running: false });
});

test('a program whose pid was never written down is adopted, not started again', async () => {
  const instance = box.instance();
  const request = box.request(instance, forever);
  const { pid } = await box.processes.start(request);
  process.kill(box.keeperPid(instance), 'SIGKILL');
  await dead(box.keeperPid(instance));
  rmSync(join(box.folder(instance), 'state.json'));

  expect(await box.processes.inspect(service, instance)).toMatchObject({ exists: true, running: true, pid });
  expect(await box.driver().start(request)).toMatchObject({ running: true, pid });
  expect(box.pids(instance)).toEqual([pid]);
  const state = JSON.parse(readFileSync(join(box.folder(instance), 'state.json'), 'utf8')) as { started_at: string };
  expect(Math.abs(Date.now() - Date.parse(state.started_at))).toBeLessThan(10_000);
});

test('a keeper that died before it started anything is replaced', async () => {
  const instance = box.instance();
  await mkdir(box.folder(instance), { recursive: true });
  const passing = spawn('sleep', ['60']);
  const identity = identityOf(passing.pid ?? 0);
  if (identity === null) throw new Error('no process');
  expect(claim(box.folder(instance), identity)).toBe(0);
  expect(claim(box.folder(instance), identity)).toBeNull();
  passing.kill('SIGKILL');
  await dead(identity.pid);

  const state = await box.processes.start(box.request(instance, forever));
  expect(state).toMatchObject({ running: true });
  expect(box.pids(instance)).toEqual([state.pid]);
});

test('a keeper that is told half of its order does nothing', async () => {
  const instance = box.instance();
  await mkdir(box.folder(instance), { recursive: true });
  const keeper = spawn(process.execPath, [keeperPath, box.folder(instance)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  keeper.stdin.end('{"service":"web","prog');
  expect(await new Promise((resolve) => keeper.once('exit', resolve))).toBe(0);
  expect(readdirSync(box.folder(instance))).toEqual([]);
});

/** In each round the keepers are killed at another moment of a start, while starts go on as a worker retries them. */
test('SIGKILL of keepers at any moment of a start: in the end exactly one process', async () => {
  const random = seeded(20_240_607);
  for (let round = 0; round < 30; round += 1) {
    const instance = box.instance();
    const request = box.request(instance, '', { argv: ['sleep', '1000'] });
    const starting = [box.processes.start(request), box.driver().start(request)];
    let most = 0;
    const watching = setInterval(() => (most = Math.max(most, box.pids(instance).length)), 15);
    // Some before anything has happened, most within the few milliseconds in which everything happens.
    if (round % 5 === 0) await sleep(random() * 80);
    else await claimedFor(instance, random() * 12);
    for (const { pid } of findLabelled({ HOLDFAST_KEEPER: box.folder(instance) })) kill(pid);
    const states = await Promise.all(starting);
    clearInterval(watching);

    expect(new Set(states.map(({ pid }) => pid)).size).toBe(1);
    expect(states[0]).toMatchObject({ running: true, pid: box.pids(instance)[0] });
    expect(box.pids(instance)).toHaveLength(1);
    expect(most).toBeLessThanOrEqual(1);
    await box.processes.stop(service, instance, { timeout_ms: 1_000 });
  }
});

/** Kills the keeper that has the claim, so many milliseconds after it took it. */
async function claimedFor(instance: string, ms: number): Promise<void> {
  const claimed = join(box.folder(instance), 'keeper.json');
  while (!existsSync(claimed)) await nextTurn();
  const end = performance.now() + ms;
  while (performance.now() < end);
  kill(box.keeperPid(instance));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster.
  }
}

/** Numbers from 0 to 1, the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

test('a keeper stays small', async () => {
  const instance = box.instance();
  await box.processes.start(box.request(instance, counting));
  await until(() => numbersIn(box.log(instance)).length > 500);
  const status = readFileSync(`/proc/${box.keeperPid(instance)}/status`, 'utf8');
  expect(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])).toBeLessThan(80_000);
  expect(statSync(box.folder(instance)).mode & 0o777).toBe(0o700);
});
