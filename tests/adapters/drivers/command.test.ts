import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCommandDriver } from '../../../adapters/drivers/command.ts';
import type { Driver } from '../../../adapters/drivers/driver.ts';
import { createGitSource } from '../../../adapters/git/source.ts';
import { createProcessDriver } from '../../../adapters/process/driver.ts';
import { findLabelled, findProcess } from '../../../adapters/process/identity.ts';
import { createProcessLogs } from '../../../adapters/process/log-reader.ts';
import { createOperatorCommands } from '../../../adapters/process/operator-command.ts';
import type { Instance } from '../../../domain/deploy/instance.ts';
import type { ServiceSpecInput } from '../../../domain/service.ts';
import { instanceOf, keeperPath, makeBox, service, specOf, until, type Box } from '../../support/box.ts';
import { makeRepository } from '../../support/git-repository.ts';

const { signal } = new AbortController();
type Commands = NonNullable<ServiceSpecInput['commands']>;

let box: Box;
let root: string;
let driver: Driver;
beforeAll(() => {
  box = makeBox();
  root = join(box.root, 'commands');
  mkdirSync(root);
  driver = createDriver();
});
afterAll(async () => {
  for (const { pid } of findLabelled({ OF_TEST: root })) process.kill(pid, 'SIGKILL');
  await until(() => findLabelled({ OF_TEST: root }).length === 0);
  await box.close();
});

/** Each one is what a worker that has been started again has. */
function createDriver(env: Readonly<Record<string, string | undefined>> = process.env): Driver {
  return createCommandDriver({
    processes: createProcessDriver({ root, keeperPath, env }),
    commands: createOperatorCommands({ root, env }),
    git: createGitSource({ root, env }),
    logs: createProcessLogs({ root }),
    env,
  });
}

const sh = (script: string) => ['sh', '-c', script];

function instance(commands: Partial<Commands>, more: Partial<Instance> = {}, input: Partial<ServiceSpecInput> = {}) {
  const all = { deploy: ['true'], ...commands };
  const run = { env: { OF_TEST: root }, stop_timeout_ms: 1_000 };
  return instanceOf(specOf({ driver: 'command', commands: all, run, ...input }), { release_id: 'v2', ...more });
}

let files = 0;
const file = () => join(box.root, `file-${(files += 1)}`);
const text = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

describe("D1 command: the operator's own deploy", () => {
  test('is told which service, release, deploy, run and step, and nothing else of the worker', async () => {
    const out = file();
    const identity = sh('echo v1');
    const script = sh(`env > ${out}`);
    const order = instance({ deploy: script, identity }, {}, { run: { env: { OWN: 'own', OF_TEST: root } } });
    await createDriver({ ...process.env, SECRET: 'of the worker' }).start(order, signal);
    const lines = text(out).split('\n');
    const seen = Object.fromEntries(lines.map((line) => line.split('=', 2) as [string, string]));
    expect(seen).toMatchObject({
      HOLDFAST_SERVICE: service,
      HOLDFAST_RELEASE_ID: 'v2',
      HOLDFAST_PREVIOUS_RELEASE_ID: 'v1',
      HOLDFAST_DEPLOY_ID: order.deploy_id,
      HOLDFAST_RUN_ID: order.run_id,
      HOLDFAST_STEP: 'candidate',
      OWN: 'own',
    });
    expect(seen).not.toHaveProperty('SECRET');
  });

  test('a rollback is its own command', async () => {
    const out = file();
    const commands = {
      deploy: sh(`echo deploy >> ${out}`),
      rollback: sh(`echo "$HOLDFAST_STEP $HOLDFAST_RELEASE_ID" >> ${out}`),
    };
    expect(await driver.start(instance(commands, { role: 'rollback', release_id: 'v1' }), signal)).toMatchObject({
      running: true,
    });
    expect(text(out)).toBe('rollback v1\n');
    const none = instance({ deploy: commands.deploy }, { role: 'rollback' });
    await expect(driver.start(none, signal)).rejects.toMatchObject({ type: 'RunSpecInvalid' });
  });

  test('no shell reads what is in it', async () => {
    const out = file();
    const argv = [process.execPath, '-e', `fs.writeFileSync(${JSON.stringify(out)}, process.argv[1])`, '$HOME; exit 1'];
    await driver.start(instance({ deploy: argv }), signal);
    expect(text(out)).toBe('$HOME; exit 1');
  });

  test('fails with its exit code and its last lines', async () => {
    const order = instance({ deploy: sh('echo one; echo two >&2; exit 3') });
    const failure = {
      type: 'CommandFailed',
      message: expect.stringMatching(/commands\.deploy \(sh -c .*\) ended with 3:\none\ntwo$/s) as string,
    };
    await expect(driver.start(order, signal)).rejects.toMatchObject(failure);
    // Remembered, not made again.
    await expect(createDriver().start(order, signal)).rejects.toMatchObject(failure);
    expect(await driver.inspect(order)).toMatchObject({ exists: true, running: false, exit_code: 3 });
  });

  test('that takes too long is ended', async () => {
    const order = instance({ deploy: sh('echo begun; sleep 1000'), timeout_ms: 1_000 });
    await expect(driver.start(order, signal)).rejects.toMatchObject({
      type: 'CommandFailed',
      message: expect.stringMatching(/took longer than 1000 ms and was ended:\nbegun/) as string,
    });
    expect(findLabelled({ HOLDFAST_INSTANCE: order.instance })).toEqual([]);
    await expect(driver.start(order, signal)).rejects.toMatchObject({ type: 'CommandFailed' });
  });

  test('that does not exist fails, and is an obstacle beforehand', async () => {
    const order = instance({ deploy: ['/no/such/deploy'] });
    await expect(driver.start(order, signal)).rejects.toMatchObject({
      type: 'CommandFailed',
      message: expect.stringContaining('ended with 127') as string,
    });
    const all = { deploy: ['/no/such/deploy'], rollback: ['no-such-rollback'], stop: ['true'] };
    expect(await driver.obstacles(instance(all).spec, service)).toEqual([
      '/no/such/deploy is not there: install it or change commands.deploy',
      'no-such-rollback is on no folder of PATH: install it or change commands.rollback',
    ]);
  });
});

describe('D1 command: run once, whatever becomes of the worker', () => {
  test('many starts at once, and starts after the end, run it once', async () => {
    const out = file();
    const order = instance({ deploy: sh(`echo run >> ${out}; sleep 0.5`) });
    const drivers = [driver, createDriver(), createDriver()];
    const states = await Promise.all(drivers.map((each) => each.start(order, signal)));
    for (const state of states) expect(state).toMatchObject({ exists: true, running: true });
    await createDriver().start(order, signal);
    expect(text(out)).toBe('run\n');
  });

  test('a worker killed in the middle: the next one finds the same command and waits for it', async () => {
    const [out, go] = [file(), file()];
    const order = instance({
      deploy: sh(`echo begin >> ${out}; while ! test -e ${go}; do sleep 0.05; done; echo end >> ${out}`),
    });
    const worker = new AbortController();
    const first = createDriver().start(order, worker.signal);
    await until(() => text(out) === 'begin\n');
    worker.abort();
    await expect(first).rejects.toThrow('aborted');
    const second = createDriver().start(order, signal);
    expect(await driver.inspect(order)).toMatchObject({ exists: true, running: false });
    writeFileSync(go, '');
    expect(await second).toMatchObject({ running: true });
    expect(text(out)).toBe('begin\nend\n');
  });

  test('what ended while nobody looked is known', async () => {
    const order = instance({ deploy: sh('sleep 0.4; exit 5') });
    await expect(driver.start(order, AbortSignal.timeout(150))).rejects.toThrow();
    await until(async () => (await driver.inspect(order)).exit_code === 5);
    await expect(createDriver().start(order, signal)).rejects.toMatchObject({
      message: expect.stringContaining('ended with 5') as string,
    });
  });
});

describe('D1 command: what runs, as the operator says', () => {
  test.each([
    ['a plain release id', 'echo v2', { running: true, pid: null }],
    [
      'JSON',
      `echo '{"release_id":"v2","pid":7,"restart_count":2,"started_at":"2026-01-01T00:00:00Z"}'`,
      { running: true, pid: 7, restart_count: 2, started_at: '2026-01-01T00:00:00Z' },
    ],
    [
      'JSON of what has ended',
      `echo '{"release_id":"v2","running":false,"exit_code":9}'`,
      { running: false, exit_code: 9 },
    ],
    ['a failure', 'exit 1', { running: false, exit_code: null }],
  ])('%s', async (_name, script, expected) => {
    const order = instance({ identity: sh(script) });
    expect(await driver.start(order, signal)).toMatchObject({ exists: true, oom_killed: false, ...expected });
    expect(await driver.inspect(order)).toMatchObject(expected);
  });

  test('an answer that does not come, or cannot be asked for, is nothing against the service', async () => {
    const slow = instance({ identity: sh('sleep 1000'), timeout_ms: 1_000 });
    expect(await driver.start(slow, signal)).toMatchObject({ running: true });
    const missing = instance({ identity: ['/no/such/identity'] });
    expect(await driver.start(missing, signal)).toMatchObject({ running: true });
    expect(await driver.identity(missing)).toEqual([
      { check: 'release', ok: false, reason: 'commands.identity did not answer' },
    ]);
  });

  test('without anybody to ask it runs once its deploy went well, until it is stopped', async () => {
    const order = instance({ stop: ['true'] });
    expect(await driver.inspect(order)).toMatchObject({ exists: false, running: false });
    const state = await driver.start(order, signal);
    expect(state).toMatchObject({ exists: true, running: true, pid: null, exit_code: null });
    expect(state.started_at).not.toBeNull();
    expect(await driver.inspect(order)).toEqual(state);
    expect(await driver.identity(order)).toEqual([]);
    expect(await driver.stop(order, signal)).toMatchObject({ running: false });
    expect(await createDriver().inspect(order)).toMatchObject({ running: false });
  });

  test('D2 the release it says is compared with the one that was asked for', async () => {
    const says = async (script: string, more = {}) => driver.identity(instance({ identity: sh(script) }, {}, more));
    expect(await says('echo v2')).toEqual([{ check: 'release', ok: true, reason: 'same' }]);
    expect(await says('echo v1')).toEqual([{ check: 'release', ok: false, reason: 'it says v1' }]);
    expect(await says('echo no id at all')).toEqual([{ check: 'release', ok: false, reason: 'it says no release id' }]);
    expect(await says('exit 1')).toEqual([{ check: 'release', ok: false, reason: 'it does not run' }]);
    const git = { source: { git: '/repository', ref: 'main' } };
    const build = async (sha: string) => says(`echo '{"release_id":"v2","build_sha":"${sha}"}'`, git);
    expect(await build('v2')).toContainEqual({ check: 'build_sha', ok: true, reason: 'same' });
    expect(await build('v1')).toContainEqual({ check: 'build_sha', ok: false, reason: 'it says v1' });
  });

  test('D5 a probe runs in the folder of the service and knows the release', async () => {
    const probe = sh(`test "$(pwd)" = ${join(root, service)} && test "$HOLDFAST_RELEASE_ID" = v2`);
    expect(await driver.runProbe(instance({}), probe, { timeout_ms: 2_000, signal })).toEqual({
      exit_code: 0,
      timed_out: false,
    });
  });
});

describe('D1 command: stopping', () => {
  test('is what the operator says, waits until it is gone, and can be asked for again', async () => {
    const [running, out] = [file(), file()];
    const commands = {
      deploy: sh(`touch ${running}`),
      identity: sh(`test -e ${running} && echo v2`),
      stop: sh(`echo "stop $HOLDFAST_RELEASE_ID" >> ${out}; (sleep 0.4; rm -f ${running}) > /dev/null 2>&1 &`),
    };
    const order = instance(commands);
    expect(await driver.start(order, signal)).toMatchObject({ running: true });
    expect(await driver.stop(order, signal)).toMatchObject({ running: false });
    writeFileSync(running, '');
    expect(await createDriver().stop(order, signal)).toMatchObject({ running: false });
    expect(text(out)).toBe('stop v2\nstop v2\n');
  });

  test('leaves what a deploy started to the operator, and takes down a deploy that is still at work', async () => {
    const pidFile = file();
    const daemon = instance({ deploy: sh(`setsid sleep 1000 > /dev/null 2>&1 & echo $! > ${pidFile}`) });
    await driver.start(daemon, signal);
    const pid = Number(text(pidFile));
    await driver.stop(daemon, signal);
    expect(findProcess(pid)).not.toBeNull();
    await driver.pruneInstances(service, []);
    expect(await driver.alive(service)).toEqual([]);

    const slow = instance({ deploy: sh('sleep 1000') });
    const starting = driver.start(slow, signal);
    await until(() => findLabelled({ HOLDFAST_INSTANCE: slow.instance }).length > 0);
    await Promise.all([
      expect(starting).rejects.toMatchObject({ type: 'CommandFailed' }),
      createDriver().stop(slow, signal),
    ]);
    expect(findLabelled({ HOLDFAST_INSTANCE: slow.instance })).toEqual([]);
  });

  test('a start that comes after the stop runs nothing', async () => {
    const out = file();
    const order = instance({ deploy: sh(`echo run >> ${out}`) });
    await driver.stop(order, signal);
    await expect(driver.start(order, signal)).rejects.toMatchObject({
      type: 'CommandFailed',
      message: expect.stringContaining('was called off before it began') as string,
    });
    expect(text(out)).toBe('');
  });

  test('a stop that fails says so, and is tried again when it is asked for again', async () => {
    const ready = file();
    const order = instance({ stop: sh(`echo not yet; test -e ${ready}`) });
    await driver.start(order, signal);
    await expect(driver.stop(order, signal)).rejects.toMatchObject({
      type: 'CommandFailed',
      message: expect.stringMatching(/commands\.stop .* ended with 1:\nnot yet/) as string,
    });
    expect(await driver.inspect(order)).toMatchObject({ running: true });
    writeFileSync(ready, '');
    expect(await driver.stop(order, signal)).toMatchObject({ running: false });
  });

  test('a stop that is under way is joined, not made twice', async () => {
    const out = file();
    const order = instance({ stop: sh(`echo begin >> ${out}; sleep 0.6; echo end >> ${out}`) });
    await driver.start(order, signal);
    const worker = new AbortController();
    const first = driver.stop(order, worker.signal);
    await until(() => text(out) === 'begin\n');
    worker.abort();
    await expect(first).rejects.toThrow('aborted');
    expect(await createDriver().stop(order, signal)).toMatchObject({ running: false });
    expect(text(out)).toBe('begin\nend\n');
  });
});

describe("D1 command: releases are the operator's", () => {
  test('the id that is given, the commit of the ref where there is a source, or none', async () => {
    const { spec } = instance({});
    const order = { service, spec, signal };
    const named = { release_id: '2026.11-rc1', branch: null, committed_at: null };
    expect(await driver.resolve({ ...order, wanted: '2026.11-rc1' })).toEqual(named);
    await expect(driver.resolve({ ...order, wanted: null })).rejects.toMatchObject({
      type: 'ReleaseUnknown',
      message: expect.stringContaining('--release') as string,
    });
    const repository = makeRepository(join(box.root, 'repository'));
    const commit = repository.commit({ a: '1' });
    const sourced = { ...order, spec: { ...spec, source: { git: repository.path, ref: 'main' } } };
    expect(await driver.resolve({ ...sourced, wanted: null })).toMatchObject({ release_id: commit, branch: 'main' });
  });

  test('nothing is built and nothing of ours is kept of them', async () => {
    const { spec, provenance } = instance({});
    const release = { release_id: 'v2', branch: null, committed_at: null };
    expect(await driver.build({ service, spec, release, provenance, signal })).toEqual({
      digest: '',
      schema_version: null,
      schema_reads_to: null,
    });
    const bits = { service, release_id: 'v2', digest: '' };
    await driver.removeRelease(bits);
    expect(await driver.verify(bits, signal)).toBe('ok');
  });

  test('what is left of commands that have ended goes, but not that of the one to keep', async () => {
    const [kept, gone] = [instance({ stop: ['true'] }), instance({})];
    for (const each of [kept, gone]) await driver.start(each, signal);
    await driver.stop(kept, signal);
    await driver.pruneInstances(service, [kept.instance]);
    expect(await driver.inspect(kept)).toMatchObject({ exists: true, running: false });
    expect(await driver.inspect(gone)).toMatchObject({ exists: false });
  });
});

test('D1 SIGKILL of a real worker in the middle of a deploy command: it ends on its own, once, and is known', async () => {
  const [out, program] = [file(), join(box.root, 'worker.js')];
  const order = instance({ deploy: sh(`echo begin >> ${out}; sleep 1; echo end >> ${out}`) });
  // The worker's part of a start: the keeper and its order, then death.
  const request = {
    service,
    instance: order.instance,
    release_id: 'v2',
    argv: order.spec.commands?.deploy,
    cwd: root,
    env: { OF_TEST: root },
  };
  writeFileSync(
    program,
    `import(${JSON.stringify(keeperPath.replace('keeper.js', 'driver.js'))}).then(({ createProcessDriver }) =>
       createProcessDriver(${JSON.stringify({ root, keeperPath, env: { PATH: process.env['PATH'] } })})
         .start(${JSON.stringify(request)}).then(() => process.kill(process.pid, 'SIGKILL')))`,
  );
  const worker = spawn(process.execPath, [program], { stdio: 'ignore' });
  expect(await new Promise((resolve) => worker.once('exit', (_code, by) => resolve(by)))).toBe('SIGKILL');
  expect(await driver.start(order, signal)).toMatchObject({ running: true });
  expect(text(out)).toBe('begin\nend\n');
});
