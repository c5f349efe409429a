import { setTimeout as sleep } from 'node:timers/promises';
import { createContainers } from '../../../adapters/docker/containers.ts';
import type { Docker } from '../../../adapters/docker/connection.ts';
import { createDockerDriver } from '../../../adapters/drivers/docker.ts';
import type { Instance } from '../../../domain/deploy/instance.ts';
import { until } from '../../support/box.ts';
import { describeDocker, inspected, makeDockerBox, soon, type DockerBox } from '../../support/docker.ts';

const log = { max_size: '10m', max_file: 5 };

describeDocker('D1 the docker driver looks before it acts', () => {
  let box: DockerBox;
  let release: { release_id: string; digest: string };
  beforeAll(async () => {
    box = await makeDockerBox();
    const release_id = box.commit(['CMD ["sleep", "1000"]']);
    release = { release_id, digest: await box.build(release_id) };
  });
  afterAll(() => box.close());

  const fresh = (more: Partial<Instance> = {}, part = {}) => box.instance(box.spec(part), release, more);
  const all = async (instance: Instance) =>
    box.docker.api.listContainers({ all: true, filters: { label: [`holdfast.instance=${instance.instance}`] } });
  const exited = (instance: Instance) => until(async () => !(await box.driver.inspect(instance)).running, 30_000);

  test('five starts of one instance at once, by two workers, make one container', async () => {
    const instance = fresh();
    const other = createDockerDriver({ docker: box.docker, git: neverGit, home: box.home, root: box.root });
    const drivers = [box.driver, other, box.driver, other, box.driver];
    const states = await Promise.all(drivers.map((driver) => driver.start(instance, soon())));
    expect(new Set(states.map(({ container_id }) => container_id)).size).toBe(1);
    expect(states.every(({ running }) => running)).toBe(true);
    expect(await all(instance)).toHaveLength(1);
    expect(await box.driver.alive(box.service)).toContain(instance.instance);
    await box.driver.stop(instance, soon());
  });

  test('a container says what it is: service, release, run, step; and which build, in its environment', async () => {
    const instance = fresh({ run_id: 'run-7', role: 'rollback' });
    const state = await box.driver.start(instance, soon());
    expect(state).toMatchObject({ exists: true, running: true, restart_count: 0, exit_code: null, oom_killed: false });
    expect(Math.abs(Date.now() - Date.parse(state.started_at ?? ''))).toBeLessThan(20_000);
    const { Config, HostConfig, Image } = await inspected(box, instance);
    expect(Image).toBe(release.digest);
    expect(Config.Labels).toMatchObject({
      'holdfast.home': box.home,
      'holdfast.service': box.service,
      'holdfast.release': release.release_id,
      'holdfast.instance': instance.instance,
      'holdfast.deploy': instance.deploy_id,
      'holdfast.run': 'run-7',
      'holdfast.step': 'rollback',
      'holdfast.config': instance.config_hash,
    });
    const provenance = [`BUILD_SHA=${release.release_id}`, 'BUILD_TIME=2026-01-02T03:04:05.000Z', 'BUILD_BRANCH=main'];
    expect(Config.Env).toEqual(expect.arrayContaining(provenance));
    expect(HostConfig.RestartPolicy?.Name).toBe('no');
    await box.driver.stop(instance, soon());
  });

  test('a worker that dies between creating and starting leaves a container that the next attempt starts', async () => {
    const instance = fresh();
    const { api } = box.docker;
    const dying = { ...box.docker, api: dieAfterCreating(api) };
    const first = createContainers({ docker: dying, home: box.home, log });
    await expect(first.start(instance, soon())).rejects.toThrow('the worker died');
    expect(await box.driver.inspect(instance)).toMatchObject({
      exists: true,
      running: false,
      exit_code: null,
      started_at: null,
    });
    expect(await box.driver.start(instance, soon())).toMatchObject({ running: true });
    expect(await all(instance)).toHaveLength(1);
    await box.driver.stop(instance, soon());
  });

  test('one that exited is not started again, and its exit code is remembered', async () => {
    const instance = await box.run('echo bye; exit 7');
    await exited(instance);
    const state = await box.driver.start(instance, soon());
    expect(state).toMatchObject({ exists: true, running: false, pid: null, exit_code: 7, oom_killed: false });
    expect((await inspected(box, instance)).RestartCount).toBe(0);
  });

  /** What containerd does not tell Docker cannot be known: on a machine that is that busy, it is made to happen again. */
  async function outOfMemory(): Promise<Instance> {
    for (let turn = 0; turn < 5; turn += 1) {
      const instance = await box.run('exec tail /dev/zero', { container: { memory_bytes: 8_388_608 } });
      await exited(instance);
      const { exit_code, oom_killed } = await box.driver.inspect(instance);
      expect(exit_code).toBe(137);
      if (oom_killed) return instance;
    }
    throw new Error('Docker never said that a container was out of memory');
  }

  test('D6 what eats its memory limit is known to have been out of memory', async () => {
    const instance = await outOfMemory();
    expect(await box.driver.inspect(instance)).toMatchObject({ exit_code: 137, oom_killed: true });
    expect(await box.driver.start(instance, soon())).toMatchObject({ running: false, oom_killed: true });
    expect((await inspected(box, instance)).HostConfig).toMatchObject({ Memory: 8_388_608, MemorySwap: 8_388_608 });
  });

  test('D6 also where Docker heard of it only after the end, and so left it out of its state', async () => {
    const instance = await outOfMemory();
    const docker = { ...box.docker, api: withoutMemoryInState(box.docker.api) };
    const containers = createContainers({ docker, home: box.home, log });
    expect(await containers.inspect(instance)).toMatchObject({ exit_code: 137, oom_killed: true });
  });

  test('D6 SIGKILL by somebody else is not taken for it, with a memory limit and without', async () => {
    for (const container of [{ memory_bytes: 67_108_864 }, undefined]) {
      const instance = await box.run('sleep 1000', container === undefined ? {} : { container });
      await box.docker.api.getContainer(box.containerOf(instance)).kill();
      await exited(instance);
      expect(await box.driver.inspect(instance)).toMatchObject({ exit_code: 137, oom_killed: false });
    }
  });

  test('a program that is not in the image ends with 127, and the log says which', async () => {
    const instance = fresh({}, { run: { argv: ['/no/such/program'] } });
    await box.driver.start(instance, soon());
    await exited(instance);
    expect(await box.driver.start(instance, soon())).toMatchObject({ running: false, exit_code: 127 });
    expect((await box.driver.logs?.tail(instance, 1))?.lines[0]).toContain('/no/such/program');
  });

  test('a process 1 that is not in the image is a failure with words, also when it is tried again', async () => {
    const release_id = box.commit(['ENTRYPOINT ["/no/such/tini"]']);
    const instance = box.instance(box.spec(), { release_id, digest: await box.build(release_id) });
    const message = expect.stringContaining('/no/such/tini') as string;
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(box.driver.start(instance, soon())).rejects.toMatchObject({ type: 'RunSpecInvalid', message });
    }
    expect(await box.driver.inspect(instance)).toMatchObject({ exists: true, running: false, exit_code: 127 });
  });

  test('an image that is gone is said to be gone', async () => {
    const instance = fresh({ digest: `sha256:${'0'.repeat(64)}` });
    await expect(box.driver.start(instance, soon())).rejects.toMatchObject({ type: 'ReleaseMissing' });
    expect(await all(instance)).toHaveLength(0);
  });

  test('an instance of which nothing is there has no state', async () => {
    const instance = fresh();
    const nothing = { exists: false, running: false, pid: null, container_id: null, exit_code: null };
    expect(await box.driver.inspect(instance)).toMatchObject(nothing);
    expect(await box.driver.stop(instance, soon())).toMatchObject(nothing);
    expect(await all(instance)).toHaveLength(0);
  });

  test('what is stopped is never started again', async () => {
    const instance = fresh();
    const { container_id } = await box.driver.start(instance, soon());
    expect(await box.driver.stop(instance, soon())).toMatchObject({ exists: true, running: false, container_id });
    expect(await box.driver.stop(instance, soon())).toMatchObject({ running: false });
    expect(await box.driver.start(instance, soon())).toMatchObject({ running: false, container_id });
    expect(await box.driver.alive(box.service)).not.toContain(instance.instance);
  });

  test('one that was given up before it ran is never started, and stays to be looked at', async () => {
    const instance = fresh();
    const dying = { ...box.docker, api: dieAfterCreating(box.docker.api) };
    const containers = createContainers({ docker: dying, home: box.home, log });
    await expect(containers.start(instance, soon())).rejects.toThrow('the worker died');
    await box.driver.stop(instance, soon());
    expect(await box.driver.start(instance, soon())).toMatchObject({ exists: true, running: false, started_at: null });
    expect(await box.driver.stop(instance, soon())).toMatchObject({ exists: true, running: false });
    expect(await all(instance)).toHaveLength(1);
  });

  test('a start and a stop at once end with nothing running, or with a container that stop has seen', async () => {
    for (let round = 0; round < 8; round += 1) {
      const instance = fresh({}, { run: { stop_timeout_ms: 100 } });
      const dying = { ...box.docker, api: dieAfterCreating(box.docker.api) };
      await createContainers({ docker: dying, home: box.home, log })
        .start(instance, soon())
        .catch(() => undefined);
      const starting = box.driver.start(instance, soon());
      await sleep(round * 3);
      expect((await box.driver.stop(instance, soon())).running).toBe(false);
      await starting;
      expect(await box.driver.inspect(instance)).toMatchObject({ exists: true, running: false });
    }
  });

  test('a program that does not listen to SIGTERM is killed after stop_timeout', async () => {
    const run = { stop_timeout_ms: 1_000 };
    const instance = await box.run('trap "" TERM; echo deaf; while true; do sleep 0.1; done', { run });
    await until(async () => (await box.driver.logs?.tail(instance, 1))?.lines[0] === 'deaf');
    expect(await box.driver.stop(instance, soon())).toMatchObject({
      running: false,
      exit_code: 137,
      oom_killed: false,
    });
  });

  test('a program that says nothing of SIGTERM ends at once, because it is not process 1', async () => {
    const run = { argv: ['sleep', '1000'], stop_timeout_ms: 40_000 };
    const instance = fresh({}, { run });
    await box.driver.start(instance, soon());
    expect(await box.driver.stop(instance, soon())).toMatchObject({ running: false, exit_code: 143 });
  });

  test('an image that brings its own process 1 gets to be it', async () => {
    const release_id = box.commit(['RUN ["ln", "-s", "/bin/busybox", "/init"]', 'ENTRYPOINT ["/init"]']);
    const instance = box.instance(box.spec(), { release_id, digest: await box.build(release_id) });
    await box.driver.start(instance, soon()).catch(() => undefined);
    expect((await inspected(box, instance)).HostConfig.Init).toBe(false);
    await box.driver.stop(instance, soon());
  });

  test('of another Holdfast in the same Docker nothing is seen, stopped or pruned', async () => {
    const other = createDockerDriver({ docker: box.docker, git: neverGit, home: 'another', root: box.root });
    const instance = fresh();
    await box.driver.start(instance, soon());
    expect(await other.alive(box.service)).toEqual([]);
    await other.pruneInstances(box.service, []);
    await expect(other.stop(instance, soon())).rejects.toThrow('was not made by this Holdfast');
    expect(await box.driver.inspect(instance)).toMatchObject({ running: true });
    await box.driver.stop(instance, soon());
    await other.pruneInstances(box.service, []);
    expect(await box.driver.inspect(instance)).toMatchObject({ exists: true });
  });

  test('pruning takes what does not run, but for what is to be kept', async () => {
    const [kept, old, alive] = [fresh(), fresh(), fresh()];
    for (const instance of [kept, old, alive]) await box.driver.start(instance, soon());
    for (const instance of [kept, old]) await box.driver.stop(instance, soon());
    await box.driver.pruneInstances(box.service, [kept.instance]);
    await box.driver.pruneInstances(box.service, [kept.instance]);
    expect(await box.driver.inspect(kept)).toMatchObject({ exists: true, running: false });
    expect(await box.driver.inspect(old)).toMatchObject({ exists: false });
    expect(await box.driver.inspect(alive)).toMatchObject({ running: true });
    await box.driver.stop(alive, soon());
  });

  test('D6 a container that somebody restarted shows another start', async () => {
    const instance = fresh({}, { run: { stop_timeout_ms: 100 } });
    const before = await box.driver.start(instance, soon());
    await box.docker.api.getContainer(before.container_id ?? '').restart({ t: 1 });
    const after = await box.driver.inspect(instance);
    expect(after).toMatchObject({ running: true, container_id: before.container_id });
    expect(after.started_at).not.toBe(before.started_at);
    await box.driver.stop(instance, soon());
  });
});

describeDocker('D5 a probe in a container', () => {
  let box: DockerBox;
  let instance: Instance;
  beforeAll(async () => {
    box = await makeDockerBox();
    instance = await box.run('sleep 1000');
  });
  afterAll(() => box.close());
  const probe = (argv: string[], timeout_ms = 5_000, signal = soon()) =>
    box.driver.runProbe(instance, argv, { timeout_ms, signal });

  test('its exit code is a result', async () => {
    expect(await probe(['true'])).toEqual({ exit_code: 0, timed_out: false });
    expect(await probe(['sh', '-c', 'echo a lot; exit 3'])).toEqual({ exit_code: 3, timed_out: false });
    expect(await probe(['sh', '-c', 'exit 127'])).toEqual({ exit_code: 127, timed_out: false });
  });

  test('one that takes too long is a result too, and is ended', async () => {
    expect(await probe(['sleep', '333'], 300)).toMatchObject({ timed_out: true });
    await until(async () => (await probe(['sh', '-c', 'ps | grep -q "[s]leep 333"'])).exit_code === 1);
  });

  test('one that is called off is ended', async () => {
    const off = new AbortController();
    const probing = probe(['sleep', '444'], 30_000, off.signal);
    setTimeout(() => off.abort(new Error('called off')), 500);
    await expect(probing).rejects.toThrow();
    await until(async () => (await probe(['sh', '-c', 'ps | grep -q "[s]leep 444"'])).exit_code === 1);
  });

  test('a program that is not there is said not to be there', async () => {
    await expect(probe(['no-such-program'])).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('what does not run cannot be probed', async () => {
    const dead = await box.run('exit 0');
    await until(async () => !(await box.driver.inspect(dead)).running);
    const probing = box.driver.runProbe(dead, ['true'], { timeout_ms: 1_000, signal: soon() });
    await expect(probing).rejects.toThrow('does not run');
  });
});

const neverGit = {
  fetch: () => Promise.reject(new Error('no source')),
  resolve: () => Promise.reject(new Error('no source')),
  export: () => Promise.reject(new Error('no source')),
};

/** The connection is lost when the container has been made and before it is started. */
function dieAfterCreating(api: Docker['api']): Docker['api'] {
  return new Proxy(api, {
    get(target, name, receiver) {
      if (name !== 'createContainer') return Reflect.get(target, name, receiver) as unknown;
      return async (options: Parameters<Docker['api']['createContainer']>[0]) => {
        await target.createContainer(options);
        throw new Error('the worker died');
      };
    },
  });
}

/** As a dockerd says it whose containerd told it the end first. */
function withoutMemoryInState(api: Docker['api']): Docker['api'] {
  return new Proxy(api, {
    get(target, name, receiver) {
      if (name !== 'getContainer') return Reflect.get(target, name, receiver) as unknown;
      return (id: string) => ({
        inspect: async () => {
          const found = await target.getContainer(id).inspect();
          return { ...found, State: { ...found.State, OOMKilled: false } };
        },
      });
    },
  });
}
