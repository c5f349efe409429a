import getPort from 'get-port';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createReleaseProcessDriver, type ReleaseProcessDriverDeps } from '../../../adapters/drivers/process.ts';
import type { Driver } from '../../../adapters/drivers/driver.ts';
import { createReleaseFolders } from '../../../adapters/files/releases.ts';
import { createGitSource } from '../../../adapters/git/source.ts';
import type { Instance } from '../../../domain/deploy/instance.ts';
import type { ServiceSpecInput } from '../../../domain/service.ts';
import { instanceOf, makeBox, service, specOf, until, type Box } from '../../support/box.ts';
import { makeRepository, type TestRepository } from '../../support/git-repository.ts';
import { removeTree } from '../../support/remove-tree.ts';

const { signal } = new AbortController();
const showing = `
  console.log(JSON.stringify({ cwd: process.cwd(), env: process.env }));
  setInterval(() => {}, 1000);`;

let box: Box;
let repository: TestRepository;
let driver: Driver;
const used: Instance[] = [];

beforeAll(() => {
  box = makeBox();
  repository = makeRepository(join(box.root, 'repository'));
  driver = createDriver();
});
afterAll(async () => {
  for (const instance of used) await driver.stop(instance, signal);
  removeTree(join(box.root, service));
  await box.close();
});

function createDriver(
  env: Readonly<Record<string, string | undefined>> = process.env,
  more: Partial<ReleaseProcessDriverDeps> = {},
): Driver {
  const { root, processes } = box;
  const git = createGitSource({ root, env });
  return createReleaseProcessDriver({
    git,
    folders: createReleaseFolders({ root, env }),
    processes,
    logs: null,
    env,
    ...more,
  });
}

function spec(more: Partial<ServiceSpecInput> = {}) {
  const run = { argv: [process.execPath, 'app.js'], cwd: 'src', env: { OWN: 'own' }, stop_timeout_ms: 2_000 };
  return specOf({ source: { git: repository.path, ref: 'main' }, run, ...more });
}

async function built(files: Readonly<Record<string, string>>, more: Partial<ServiceSpecInput> = {}) {
  repository.commit({ 'src/app.js': showing, ...files });
  const order = { service, spec: spec(more), signal };
  const release = await driver.resolve({ ...order, wanted: null });
  const { release_id: build_sha, committed_at: build_time, branch: build_branch } = release;
  const provenance = { build_sha, build_time, build_branch };
  const result = await driver.build({ ...order, release, provenance });
  const instance = instanceOf(order.spec, { release_id: build_sha, provenance, digest: result.digest });
  used.push(instance);
  return { release, instance, ...result };
}

/** The driver's log is the box's to read, so that of a release is found under its instance. */
const shown = (instance: Instance) =>
  JSON.parse(box.log(instance.instance)) as { cwd: string; env: Record<string, string> };

describe('D1 process: from a ref to a program that runs', () => {
  test('what the source says now, a ref, or a commit', async () => {
    const first = repository.commit({ a: '1' });
    const order = { service, spec: spec(), signal };
    expect(await driver.resolve({ ...order, wanted: null })).toMatchObject({ release_id: first, branch: 'main' });
    const second = repository.commit({ a: '2' });
    expect(await driver.resolve({ ...order, wanted: 'main' })).toMatchObject({ release_id: second, branch: 'main' });
    expect(await driver.resolve({ ...order, wanted: first })).toMatchObject({ release_id: first, branch: null });
    await expect(driver.resolve({ ...order, wanted: 'nowhere' })).rejects.toMatchObject({ type: 'RefUnknown' });
  });

  test('a source that is away holds up a new release, not one that was fetched before', async () => {
    const known = repository.commit({ a: '3' });
    await driver.resolve({ service, spec: spec(), wanted: null, signal });
    const away = { service, spec: spec({ source: { git: join(box.root, 'gone'), ref: 'main' } }), signal };
    expect(await driver.resolve({ ...away, wanted: known })).toMatchObject({ release_id: known });
    await expect(driver.resolve({ ...away, wanted: null })).rejects.toMatchObject({ type: 'SourceUnreachable' });
    await expect(driver.resolve({ ...away, wanted: 'f'.repeat(40) })).rejects.toMatchObject({
      type: 'SourceUnreachable',
    });
  });

  test('D15 build steps and the program are told which build it is, and have a place for their data', async () => {
    const { release, instance } = await built({}, { build: [{ argv: ['sh', '-c', 'env > built-with'] }] });
    const state = await driver.start(instance, signal);
    expect(state).toMatchObject({ exists: true, running: true, container_id: null, oom_killed: false });
    await until(() => box.log(instance.instance).endsWith('}\n'));
    const { cwd, env } = shown(instance);
    expect(cwd).toBe(join(box.root, service, 'releases', release.release_id, 'src'));
    const build = { BUILD_SHA: release.release_id, BUILD_TIME: release.committed_at, BUILD_BRANCH: 'main' };
    expect(env).toMatchObject({ ...build, OWN: 'own', HOLDFAST_DATA: join(box.root, service, 'data') });
    const probe = [
      'sh',
      '-c',
      `grep -qx BUILD_SHA=${release.release_id} ../built-with && grep -qx BUILD_BRANCH=main ../built-with`,
    ];
    expect(await driver.runProbe(instance, probe, { timeout_ms: 2_000, signal })).toEqual({
      exit_code: 0,
      timed_out: false,
    });
  });

  test('starting, stopping and asking are about one instance for ever', async () => {
    const { instance } = await built({});
    const { pid } = await driver.start(instance, signal);
    expect(await createDriver().start(instance, signal)).toMatchObject({ running: true, pid });
    expect(await driver.alive(service)).toContain(instance.instance);
    expect(await driver.stop(instance, signal)).toMatchObject({ running: false, exit_signal: 'SIGTERM' });
    expect(await driver.start(instance, signal)).toMatchObject({ running: false });
    expect(await driver.alive(service)).not.toContain(instance.instance);
    await driver.pruneInstances(service, []);
    expect(await driver.inspect(instance)).toMatchObject({ exists: false });
  });

  test('a probe has the environment of a probe, not that of the worker, and a timeout is a result', async () => {
    const { instance } = await built({});
    await driver.start(instance, signal);
    const secretive = createDriver({ ...process.env, SECRET: 'of the worker' });
    const node = (script: string) => [process.execPath, '-e', script];
    const options = { timeout_ms: 3_000, signal };
    expect(await secretive.runProbe(instance, node('process.exit(process.env.SECRET ? 9 : 4)'), options)).toEqual({
      exit_code: 4,
      timed_out: false,
    });
    const slow = node('setInterval(() => {}, 1000)');
    expect(await driver.runProbe(instance, slow, { timeout_ms: 300, signal })).toMatchObject({ timed_out: true });
    await expect(driver.runProbe(instance, ['/no/such/probe'], options)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('bits that were taken away or altered, or are not the ones that were proved', async () => {
    const { release, digest } = await built({ b: '1' });
    const bits = { service, release_id: release.release_id };
    expect(await driver.verify({ ...bits, digest }, signal)).toBe('ok');
    expect(await driver.verify({ ...bits, digest: '' }, signal)).toBe('ok');
    expect(await driver.verify({ ...bits, digest: `sha256:${'0'.repeat(64)}` }, signal)).toBe('changed');
    await driver.removeRelease({ ...bits, digest });
    expect(await driver.verify({ ...bits, digest }, signal)).toBe('missing');
    await driver.removeRelease({ ...bits, digest });
  });
});

describe('D8 what a release says of its schema', () => {
  const file = 'holdfast.release.json';

  test.each([
    ['{"schema_version": 7, "schema_reads_to": 9}', { schema_version: 7, schema_reads_to: 9 }],
    ['{"schema_version": 7}', { schema_version: 7, schema_reads_to: null }],
    ['{}', { schema_version: null, schema_reads_to: null }],
  ])('%s', async (content, facts) => {
    expect(await built({ [file]: content })).toMatchObject(facts);
  });

  test('nothing', async () => {
    repository.git('rm', '--quiet', file);
    expect(await built({ c: '1' })).toMatchObject({ schema_version: null, schema_reads_to: null });
  });

  test.each(['{', '7', '{"schema_version": "7"}', '{"schema_version": -1}', '{"schema_reads_too": 3}'])(
    '%s is a build that failed, and says so',
    async (content) => {
      await expect(built({ [file]: content })).rejects.toMatchObject({
        type: 'BuildFailed',
        message: expect.stringContaining('holdfast.release.json is not {"schema_version"') as string,
      });
      repository.git('rm', '--quiet', file);
    },
  );
});

describe('D12 what would keep it from starting', () => {
  const obstacles = (more: Partial<ServiceSpecInput>) => driver.obstacles(spec(more), service);

  test('nothing is in the way of what is there, and of what the build makes', async () => {
    expect(await obstacles({})).toEqual([]);
    for (const argv of [['node'], ['./bin/made-by-the-build'], ['sh', '-c', 'x']]) {
      expect(await obstacles({ run: { argv } })).toEqual([]);
    }
    expect(await obstacles({ run: { argv: ['tool'], env: { PATH: 'node_modules/.bin:/bin' } } })).toEqual([]);
  });

  test('programs that are not there or cannot be started', async () => {
    const plain = join(box.root, 'plain');
    writeFileSync(plain, 'no program');
    chmodSync(plain, 0o644);
    const install = 'install it or change run.argv';
    expect(await obstacles({ run: { argv: ['/no/such/program'] } })).toEqual([
      `/no/such/program is not there: ${install}`,
    ]);
    expect(await obstacles({ run: { argv: ['no-such-program'] } })).toEqual([
      `no-such-program is on no folder of PATH: ${install}`,
    ]);
    expect(await obstacles({ run: { argv: [plain] } })).toEqual([`${plain} is not executable: ${install}`]);
    expect(await obstacles({ run: { argv: [box.root] } })).toEqual([`${box.root} is not a file: ${install}`]);
    expect(await obstacles({ run: { argv: ['node'], env: { PATH: '/nowhere' } } })).toHaveLength(1);
    expect(await obstacles({ probes: { command: { argv: ['/no/such/probe'] } } })).toEqual([
      '/no/such/probe is not there: install it or change probes.command.argv',
    ]);
  });

  test('a port that somebody else has, by name; not one that an instance of the service has', async () => {
    const stranger = createServer().listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const address = stranger.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const asked = (at: number, host = '127.0.0.1') =>
      obstacles({ probes: { http: { url: `http://${host}:${at}/health` } } });
    const expected = new RegExp(
      `^port ${port} is used by pid ${process.pid} \\(.+\\), which is not an instance of web: stop it or choose another port$`,
    );
    expect(await asked(port)).toEqual([expect.stringMatching(expected)]);
    expect(await asked(port, 'localhost')).toHaveLength(1);
    expect(await asked(port, 'example.com')).toEqual([]);
    stranger.close();

    const own = await getPort();
    const serving = `require('node:net').createServer().listen(${own}, '127.0.0.1', () => console.log('up'))`;
    const { instance } = await built({ 'src/app.js': serving });
    await driver.start(instance, signal);
    await until(() => box.log(instance.instance) === 'up\n');
    expect(await asked(own)).toEqual([]);
    expect(
      await driver.obstacles(spec({ probes: { http: { url: `http://127.0.0.1:${own}` } } }), 'other'),
    ).toHaveLength(1);
    expect(await asked(await getPort())).toEqual([]);

    // A process of the same service name that is not of this home's instances, but for who is told that it is its switch.
    const other = makeBox();
    const taken = await getPort();
    const name = other.instance();
    await other.processes.start(other.request(name, serving.replace(String(own), String(taken))));
    await until(() => other.log(name) === 'up\n');
    expect(await asked(taken)).toEqual([expect.stringContaining('is not an instance of web') as string]);
    const behind = createDriver(process.env, { switches: other.processes });
    const probes = { http: { url: `http://127.0.0.1:${taken}/` } };
    expect(await behind.obstacles(spec({ probes }), service)).toEqual([]);
    await other.close();
  });
});

describe('D2 is what runs what was asked for', () => {
  const by = (checks: Awaited<ReturnType<Driver['identity']>>) =>
    Object.fromEntries(checks.map(({ check, ok, reason }) => [check, ok ? `ok ${reason}` : reason]));
  const same = { bits: 'ok same', config: 'ok same', release: 'ok same' };

  test('what was started as it is asked for', async () => {
    const { instance } = await built({ 'src/app.js': showing });
    await driver.start(instance, signal);
    await until(() => box.log(instance.instance) !== '');
    expect(by(await driver.identity(instance))).toEqual(same);
  });

  test('an edited environment or command line that was never applied; names are said, values are not', async () => {
    const { instance } = await built({ d: '1' });
    await driver.start(instance, signal);
    await until(() => box.log(instance.instance) !== '');
    const { run } = instance.spec;
    const edited = {
      ...instance,
      spec: { ...instance.spec, run: { ...run, env: { OWN: 'secret-value', MORE: '1' } } },
    };
    expect(by(await driver.identity(edited))).toEqual({ ...same, config: 'the environment differs: OWN, MORE' });
    const argv = [...(run.argv ?? []), '--more'];
    const longer = { ...instance, spec: { ...instance.spec, run: { ...run, argv } } };
    expect(by(await driver.identity(longer))).toMatchObject({ config: 'the command line differs' });
  });

  test('wrappers and programs that write their own title are not accused of it', async () => {
    const wrapped = { argv: ['./run.sh'], cwd: '.', env: { OWN: 'own' } };
    const { instance, release } = await built(
      { 'run.sh': '#!/bin/sh\nexport OWN=other\ncd /\nexec sleep 1000\n' },
      {
        run: wrapped,
        build: [{ argv: ['chmod', '755', 'run.sh'] }],
      },
    );
    const { pid } = await driver.start(instance, signal);
    const cannot = 'ok cannot be read: the program shows another command line and environment than it was given';
    await until(async () => by(await driver.identity(instance))['config'] === cannot);
    expect(by(await driver.identity(instance))).toEqual({ ...same, config: cannot });
    expect(await driver.inspect(instance)).toMatchObject({ running: true, pid });
    expect(release.release_id).toBe(instance.release_id);

    const titled = await built({
      'src/app.js': 'process.title = "my title"; console.log(1); setInterval(() => {}, 1000)',
    });
    await driver.start(titled.instance, signal);
    await until(() => box.log(titled.instance.instance) !== '');
    expect(by(await driver.identity(titled.instance))).toEqual(same);
  });

  test('another release than the one that was to run', async () => {
    const { instance } = await built({ 'src/app.js': showing, e: '1' });
    const other = await built({ e: '2' });
    await driver.start(instance, signal);
    await until(() => box.log(instance.instance) !== '');
    const wrong = { ...other.instance, instance: instance.instance };
    const checks = by(await driver.identity(wrong));
    expect(checks['release']).toBe(`it runs release ${instance.release_id}`);
    expect(checks['bits']).toBe('ok same');
  });

  test('one that went into the folder of another release', async () => {
    const other = await built({ f: '1' });
    const into = join(box.root, service, 'releases', other.release.release_id);
    const { instance } = await built({ 'src/app.js': `process.chdir(${JSON.stringify(into)}); ${showing}` });
    await driver.start(instance, signal);
    await until(() => box.log(instance.instance) !== '');
    expect(by(await driver.identity(instance))['release']).toBe(
      `its cwd is in another release: ${other.release.release_id}`,
    );
  });

  test('bits that were altered under it, or taken away', async () => {
    const { instance, release } = await built({ 'src/app.js': showing, g: '1' });
    await driver.start(instance, signal);
    await until(() => box.log(instance.instance) !== '');
    const folder = join(box.root, service, 'releases', release.release_id);
    chmodSync(folder, 0o755);
    chmodSync(join(folder, 'g'), 0o644);
    writeFileSync(join(folder, 'g'), '2');
    expect(by(await driver.identity(instance))).toEqual({ ...same, bits: 'the release folder is changed' });
    await driver.removeRelease({ service, release_id: release.release_id, digest: '' });
    expect(by(await driver.identity(instance))).toEqual({
      ...same,
      bits: 'the release folder is missing',
      release: 'its cwd is in a release that was removed',
    });
  });

  test('one that does not run', async () => {
    const { instance } = await built({ h: '1' });
    await driver.start(instance, signal);
    await driver.stop(instance, signal);
    const gone = 'it does not run';
    expect(by(await driver.identity(instance))).toEqual({ bits: 'ok same', config: gone, release: gone });
  });
});
