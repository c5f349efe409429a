import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerOptions } from '../../../adapters/docker/container-options.ts';
import type { Instance } from '../../../domain/deploy/instance.ts';
import { describeDocker, makeDockerBox, soon, type DockerBox } from '../../support/docker.ts';

const asRoot = process.getuid?.() === 0;

describeDocker('D2 identity of what runs in a container', () => {
  let box: DockerBox;
  let release: { release_id: string; digest: string };
  beforeAll(async () => {
    box = await makeDockerBox();
    const release_id = box.commit(['ENV OF_IMAGE=yes', 'CMD ["sleep", "1000"]'], { version: 'one' });
    release = { release_id, digest: await box.build(release_id) };
  });
  afterAll(() => box.close());

  const started = async (part = {}, more: Partial<Instance> = {}) => {
    const instance = box.instance(box.spec(part), release, more);
    await box.driver.start(instance, soon());
    return instance;
  };
  const wrong = async (instance: Instance) => (await box.driver.identity(instance)).filter(({ ok }) => !ok);

  test('is good for what was started as it was asked for', async () => {
    const instance = await started({ run: { env: { OWN: 'own' } }, container: { memory_bytes: 16_777_216 } });
    const checks = await box.driver.identity(instance);
    expect(checks.map(({ check }) => check)).toEqual(['bits', 'config', 'bind_mounts', 'release']);
    expect(checks.every(({ ok, reason }) => ok && reason === 'same')).toBe(true);
  });

  test('a tag that moved means another release, and the old container is not it', async () => {
    const source = { image: `holdfast/${box.service}:moving` };
    const { api } = box.docker;
    await api.getImage(release.digest).tag({ repo: `holdfast/${box.service}`, tag: 'moving' });
    const spec = box.spec({ source });
    const resolve = () => box.driver.resolve({ service: box.service, spec, wanted: null, signal: soon() });
    const before = await resolve();
    const running = box.instance(spec, { ...before, digest: before.release_id });
    await box.driver.start(running, soon());

    const commit = box.commit(['CMD ["sleep", "1000"]'], { version: 'two' });
    await api.getImage(await box.build(commit)).tag({ repo: `holdfast/${box.service}`, tag: 'moving' });
    const after = await resolve();
    expect(after.release_id).not.toBe(before.release_id);
    expect(await wrong(running)).toEqual([]);
    // As after `docker tag` and a deploy that left the old container in place.
    expect(await wrong({ ...running, digest: after.release_id, release_id: after.release_id })).toMatchObject([
      { check: 'bits', reason: expect.stringContaining(before.release_id) as string },
      { check: 'release' },
    ]);
  });

  test('an environment that was edited and never applied is seen, and named without its value', async () => {
    const instance = await started({ run: { env: { PASSWORD: 'old-secret', SAME: 'same' } } });
    const edited = box.spec({ run: { env: { PASSWORD: 'new-secret', SAME: 'same', ADDED: 'x' } } });
    const checks = await wrong({ ...instance, spec: edited });
    expect(checks).toEqual([{ check: 'config', ok: false, reason: 'the environment differs: PASSWORD, ADDED' }]);
    expect(JSON.stringify(checks)).not.toContain('secret');
    const removed = box.spec({ run: { env: { SAME: 'same' } } });
    expect(await wrong({ ...instance, spec: removed })).toMatchObject([
      { reason: 'the environment differs: PASSWORD' },
    ]);
    expect(await wrong({ ...instance, config_hash: 'sha256:other' })).toMatchObject([
      { check: 'config', reason: 'it was started with another configuration' },
    ]);
  });

  test('another command line or memory limit is seen', async () => {
    const instance = await started();
    const argv = box.spec({ run: { argv: ['sleep', '2000'] } });
    expect(await wrong({ ...instance, spec: argv })).toMatchObject([{ reason: 'the command line differs' }]);
    const memory = box.spec({ container: { memory_bytes: 16_777_216 } });
    expect(await wrong({ ...instance, spec: memory })).toMatchObject([{ reason: 'the memory limit differs' }]);
  });

  test('a container that somebody made in its place, from another image, is seen', async () => {
    const instance = box.instance(box.spec(), release);
    const commit = box.commit(['ENV OF_IMAGE=yes', 'CMD ["sleep", "1000"]'], { version: 'three' });
    const image = await box.build(commit);
    const log = { max_size: '10m', max_file: 5 };
    const options = containerOptions({ home: box.home, instance, image, imageConfig: {}, log });
    await (await box.docker.api.createContainer(options)).start();
    expect(await wrong(instance)).toMatchObject([
      { check: 'bits', reason: `it runs image ${image}, not ${release.digest}` },
      { check: 'release', reason: `its image is of release ${commit}` },
    ]);
  });

  test('where nothing is there nothing is the same', async () => {
    expect(await wrong(box.instance(box.spec(), release))).toMatchObject([{ check: 'bits', ok: false }]);
  });

  const bound = async () => {
    const folder = join(box.root, `bound-${Math.random().toString(36).slice(2)}`);
    mkdirSync(join(folder, 'tree'), { recursive: true });
    writeFileSync(join(folder, 'file'), 'old');
    writeFileSync(join(folder, 'tree/file'), 'old');
    const binds = [
      { source: join(folder, 'file'), target: '/etc/config' },
      { source: join(folder, 'tree'), target: '/tree' },
    ];
    return { folder, instance: await started({ container: { binds } }) };
  };
  const read = async (instance: Instance, path: string) => {
    const argv = ['grep', '-q', 'new', path];
    return (await box.driver.runProbe(instance, argv, { timeout_ms: 5_000, signal: soon() })).exit_code === 0;
  };

  test('a bound file that is written in place is the same file', async () => {
    const { folder, instance } = await bound();
    writeFileSync(join(folder, 'file'), 'new');
    writeFileSync(join(folder, 'tree/file.new'), 'new');
    renameSync(join(folder, 'tree/file.new'), join(folder, 'tree/file'));
    expect(await wrong(instance)).toEqual([]);
    expect([await read(instance, '/etc/config'), await read(instance, '/tree/file')]).toEqual([true, true]);
  });

  // Whoever may not look into /proc of another user's process is told that it cannot be read.
  (asRoot ? test : test.skip)('a bound file that was replaced is stale until the next start (moby#15793)', async () => {
    const { folder, instance } = await bound();
    writeFileSync(join(folder, 'file.new'), 'new');
    renameSync(join(folder, 'file.new'), join(folder, 'file'));
    expect(await read(instance, '/etc/config')).toBe(false);
    expect(await wrong(instance)).toMatchObject([
      {
        check: 'bind_mounts',
        reason: expect.stringContaining(`${folder}/file was replaced after the start`) as string,
      },
    ]);
    const again = { ...instance, instance: `${instance.instance}.r2` };
    await box.driver.start(again, soon());
    expect(await wrong(again)).toEqual([]);
    expect(await read(again, '/etc/config')).toBe(true);
    rmSync(join(folder, 'file'));
    expect(await wrong(again)).toMatchObject([
      { check: 'bind_mounts', reason: expect.stringContaining('is gone') as string },
    ]);
  });
});
