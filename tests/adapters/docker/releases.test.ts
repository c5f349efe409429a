import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PermanentFailure } from '../../../domain/failures.ts';
import type { ServiceSpec, ServiceSpecInput } from '../../../domain/service.ts';
import { until } from '../../support/box.ts';
import { startDockerDaemon } from '../../support/docker-daemon.ts';
import { describeDocker, inspected, makeDockerBox, soon, type DockerBox } from '../../support/docker.ts';
import { startRegistry, type Registry } from '../../support/registry.ts';

let box: DockerBox;
const message = (...parts: string[]) => expect.stringMatching(new RegExp(parts.join('[^]*'))) as string;
const resolve = (wanted: string | null, spec: ServiceSpec = box.spec(), service = box.service) =>
  box.driver.resolve({ service, spec, wanted, signal: soon() });
const ofImage = (image: string, part: Partial<ServiceSpecInput> = {}) => box.spec({ source: { image }, ...part });
const takeImage = async (image: string, service = box.service) => {
  const spec = ofImage(image);
  const release = await resolve(null, spec, service);
  const provenance = { build_sha: release.release_id, build_time: null, build_branch: null };
  return { release, ...(await box.driver.build({ service, spec, release, provenance, signal: soon() })) };
};
const contexts = () => join(box.root, 'services', box.service, 'contexts');

describeDocker('D1, D2 an image built from a commit', () => {
  beforeAll(async () => {
    box = await makeDockerBox();
  });
  afterAll(() => box.close());

  test('is named after its service and commit, and says what it was built from', async () => {
    const file = '{"schema_version": 7, "schema_reads_to": 9}';
    const lines = [
      'ARG BUILD_SHA',
      'ARG BUILD_BRANCH',
      'RUN ["/bin/sh", "-c", "echo $BUILD_SHA $BUILD_BRANCH > /build"]',
    ];
    const commit = box.commit([...lines, 'CMD ["cat", "/build"]'], { 'holdfast.release.json': file });
    const release = await resolve('main');
    expect(release).toMatchObject({ release_id: commit, branch: 'main' });
    const provenance = { build_sha: commit, build_time: release.committed_at, build_branch: 'main' };
    const order = { service: box.service, spec: box.spec(), release, provenance, signal: soon() };
    const built = await box.driver.build(order);
    expect(built).toEqual({ digest: message('^sha256:'), schema_version: 7, schema_reads_to: 9 });
    const image = await box.docker.api.getImage(`holdfast/${box.service}:${commit}`).inspect();
    expect(image.Id).toBe(built.digest);
    expect(image.Config.Labels).toMatchObject({
      'holdfast.home': box.home,
      'holdfast.service': box.service,
      'holdfast.release': commit,
    });
    expect(existsSync(contexts()) ? readdirSync(contexts()) : []).toEqual([]);

    const instance = box.instance(box.spec(), { release_id: commit, digest: built.digest });
    await box.driver.start(instance, soon());
    await until(async () => (await box.driver.logs?.tail(instance, 1))?.lines[0] === `${commit} main`);
    expect(await box.driver.build(order)).toEqual(built);
    await box.driver.pruneInstances(box.service, []);
  });

  test('is built once, and again when it is another Dockerfile or was taken away', async () => {
    const commit = box.commit(['CMD ["true"]'], {
      'other/Dockerfile': 'FROM scratch\nCOPY busybox /bin/other\nCMD ["/bin/other"]\n',
    });
    const first = await box.build(commit);
    expect(await box.build(commit)).toBe(first);
    const other = await box.build(commit, box.spec({ container: { dockerfile: 'other/Dockerfile' } }));
    expect(other).not.toBe(first);
    const release = { service: box.service, release_id: commit, digest: other };
    await box.driver.removeRelease(release);
    expect(await box.driver.verify(release, soon())).toBe('missing');
    await box.driver.removeRelease(release);
    const again = await box.build(commit);
    expect(await box.driver.verify({ ...release, digest: again }, soon())).toBe('ok');
    expect(await box.driver.verify({ ...release, release_id: 'f'.repeat(40), digest: again }, soon())).toBe('changed');
  });

  test('is not pruned as long as it has its tag, and stays while it is run', async () => {
    const commit = box.commit(['CMD ["sleep", "1000"]'], { change: 'to run' });
    const release = { service: box.service, release_id: commit, digest: await box.build(commit) };
    await box.docker.api.pruneImages({ filters: { dangling: { true: true } } });
    expect(await box.driver.verify(release, soon())).toBe('ok');
    const instance = box.instance(box.spec(), release);
    await box.driver.start(instance, soon());
    await box.driver.removeRelease(release);
    expect(await box.driver.inspect(instance)).toMatchObject({ running: true });
    expect(await box.driver.verify(release, soon())).toBe('ok');
    await box.driver.stop(instance, soon());
    // What is left of its instances goes with it.
    await box.driver.removeRelease(release);
    expect(await box.driver.inspect(instance)).toMatchObject({ exists: false });
    expect(await box.driver.verify(release, soon())).toBe('missing');
  });

  test('leaves out what .dockerignore says, but not what Docker needs', async () => {
    const commit = box.commit(['COPY . /src/', 'CMD ["find", "/src"]'], {
      '.dockerignore': 'Dockerfile\n*.secret\nskipped\n!skipped/but-this\n',
      'a.secret': 'x',
      'skipped/file': 'x',
      'skipped/but-this': 'x',
      'kept/file': 'x',
    });
    const instance = box.instance(box.spec(), { release_id: commit, digest: await box.build(commit) });
    await box.driver.start(instance, soon());
    await until(async () => !(await box.driver.inspect(instance)).running);
    const files = (await box.driver.logs?.tail(instance, 1_000))?.lines ?? [];
    expect(files).toEqual(expect.arrayContaining(['/src/kept/file', '/src/skipped/but-this']));
    expect(files).not.toContain('/src/a.secret');
    expect(files).not.toContain('/src/skipped/file');
    box.repository.git('rm', '--quiet', '-r', '.dockerignore');
  });

  test('bad input: a commit without a Dockerfile is refused, and says where it was looked for', async () => {
    const commit = box.commit([]);
    const spec = box.spec({ container: { dockerfile: 'deploy/Dockerfile.web' } });
    await expect(box.build(commit, spec)).rejects.toMatchObject({
      type: 'BuildFailed',
      message: message('no Dockerfile at deploy/Dockerfile.web'),
    });
  });

  test('bad input: a build that fails shows its last lines', async () => {
    // The two outputs of a step may change places, where they come close together.
    const commit = box.commit([
      'RUN ["/bin/sh", "-c", "seq 1 100; sleep 0.5; echo $((40 + 2)) is the cause >&2; exit 3"]',
    ]);
    const error = (await box.build(commit).catch((thrown: unknown) => thrown)) as PermanentFailure;
    expect(error.type).toBe('BuildFailed');
    const [what, ...lines] = error.message.split('\n');
    expect(what).toContain('returned a non-zero code: 3');
    expect(lines).toEqual(expect.arrayContaining(['99', '100', '42 is the cause']));
    expect(lines.length).toBeLessThanOrEqual(15);
    expect(readdirSync(contexts())).toEqual([]);
  });

  test('bad input: a Dockerfile that is none, an unknown base image, a wrong schema file', async () => {
    const build = (files: Record<string, string>) => box.build(box.repository.commit(files));
    await expect(build({ Dockerfile: 'nonsense\n' })).rejects.toMatchObject({
      type: 'BuildFailed',
      message: message('NONSENSE'),
    });
    const unknown = 'FROM 127.0.0.1:1/no/such-image\n';
    await expect(build({ Dockerfile: unknown })).rejects.toMatchObject({ type: 'BuildFailed' });
    const wrong = { Dockerfile: 'FROM scratch\n', 'holdfast.release.json': '{"schema_version": "x"}' };
    await expect(build(wrong)).rejects.toMatchObject({
      type: 'BuildFailed',
      message: message('holdfast.release.json'),
    });
    box.repository.git('rm', '--quiet', 'holdfast.release.json');
  });

  test('bad input: an unknown ref', async () => {
    await expect(resolve('no-such-branch')).rejects.toMatchObject({ type: 'RefUnknown' });
  });

  test('a build that is called off ends in Docker too', async () => {
    const commit = box.commit(['RUN ["sleep", "555"]']);
    const release = await resolve(commit);
    const provenance = { build_sha: commit, build_time: null, build_branch: null };
    const off = new AbortController();
    const order = { service: box.service, spec: box.spec(), release, provenance, signal: off.signal };
    const building = box.driver.build(order);
    building.catch(() => undefined);
    const sleeps = async () =>
      (await box.docker.api.listContainers()).filter(({ Command }) => Command.includes('sleep 555')).length;
    await until(async () => (await sleeps()) === 1, 30_000);
    off.abort(new Error('called off'));
    await expect(building).rejects.toThrow('called off');
    await until(async () => (await sleeps()) === 0, 30_000);
  });
});

describeDocker('D1 an image built by BuildKit, where Docker prefers it', () => {
  test('is the same; a build that fails shows its last lines', async () => {
    const daemon = await startDockerDaemon({ buildKit: true });
    try {
      box = await makeDockerBox({ socketPath: daemon.socketPath });
      const run = ['RUN ["/bin/sh", "-c", "echo $BUILD_SHA > /build"]', 'CMD ["cat", "/build"]'];
      const commit = box.commit(['ARG BUILD_SHA', ...run]);
      const digest = await box.build(commit);
      const instance = box.instance(box.spec(), { release_id: commit, digest });
      await box.driver.start(instance, soon());
      await until(async () => (await box.driver.logs?.tail(instance, 1))?.lines[0] === commit);
      expect((await box.driver.identity(instance)).every(({ ok }) => ok)).toBe(true);
      expect(await box.driver.verify({ service: box.service, release_id: commit, digest }, soon())).toBe('ok');

      const failing = box.commit(['RUN ["/bin/sh", "-c", "seq 1 50; echo the cause >&2; exit 3"]']);
      await expect(box.build(failing)).rejects.toMatchObject({
        type: 'BuildFailed',
        message: message('exit code: 3', '50', 'the cause'),
      });
      await box.close();
    } finally {
      await daemon.remove();
    }
  });
});

describeDocker('D1 an image that is taken as it is', () => {
  let registry: Registry;
  const name = () => `127.0.0.1:${registry.port}/team/app`;
  beforeAll(async () => {
    box = await makeDockerBox();
    registry = await startRegistry();
  });
  afterAll(async () => {
    registry.stop();
    await box.close();
  });

  test('of this box: its id is the release, and it is pinned under a name of ours', async () => {
    const id = await box.build(box.commit(['LABEL holdfast.schema.version=4', 'CMD ["sleep", "1000"]']));
    await box.docker.api.getImage(id).tag({ repo: `local-${box.service}`, tag: 'v1' });
    const { release, ...built } = await takeImage(`local-${box.service}:v1`);
    expect(release).toEqual({ release_id: id, branch: null, committed_at: null });
    expect(built).toEqual({ digest: id, schema_version: 4, schema_reads_to: null });
    const pinned = await box.docker.api.getImage(`holdfast/${box.service}:${id.slice(7, 19)}`).inspect();
    expect(pinned.Id).toBe(id);
    expect(await resolve(id, ofImage(`local-${box.service}:v1`))).toMatchObject({ release_id: id });
    expect(await resolve(id.slice(7, 19), ofImage(`local-${box.service}:v1`))).toMatchObject({ release_id: id });

    await box.docker.api.getImage(`local-${box.service}:v1`).remove();
    const release_id = id;
    expect(await box.driver.verify({ service: box.service, release_id, digest: id }, soon())).toBe('ok');
  });

  test('is pulled when it is not there, and asked for again because its tag may have moved', async () => {
    const one = registry.publish('team/app', 'latest', 'one');
    expect(await resolve(null, ofImage(name()))).toMatchObject({ release_id: one });
    expect(await resolve(null, ofImage(name()))).toMatchObject({ release_id: one });
    const two = registry.publish('team/app', 'latest', 'two');
    expect(await resolve(null, ofImage(name()))).toMatchObject({ release_id: two });
    // What was deployed is still there to go back to.
    expect(await resolve(one, ofImage(name()))).toMatchObject({ release_id: one });
    for (const id of [one, two]) await box.docker.api.getImage(id).remove({ force: true });
  });

  test('taking our tag away leaves the image to its owner', async () => {
    registry.publish('team/app', 'v3', 'three');
    const { release, digest } = await takeImage(`${name()}:v3`);
    await box.driver.removeRelease({ service: box.service, release_id: release.release_id, digest });
    expect((await box.docker.api.getImage(digest).inspect()).RepoTags).toEqual([`${name()}:v3`]);
    await box.docker.api.getImage(digest).remove({ force: true });
  });

  test('bad input: an image that is nowhere, a registry that is away, an id that is not there', async () => {
    const missing = { type: 'ReleaseMissing', message: message('is not on this box and could not be pulled') };
    await expect(resolve(null, ofImage(`${name()}:no-such-tag`))).rejects.toMatchObject(missing);
    await expect(resolve(null, ofImage('127.0.0.1:1/no/such:image'))).rejects.toMatchObject(missing);
    await expect(resolve(`sha256:${'0'.repeat(64)}`, ofImage(name()))).rejects.toMatchObject({
      type: 'ReleaseMissing',
      message: message('is not on this box'),
    });
  });

  test('when its registry is away it is not passed over in silence that a newer one may be there', async () => {
    const away = await startRegistry();
    const id = away.publish('team/app', 'v1', 'away');
    const image = `127.0.0.1:${away.port}/team/app:v1`;
    expect(await resolve(null, ofImage(image))).toMatchObject({ release_id: id });
    away.stop();
    await expect(resolve(null, ofImage(image))).rejects.toMatchObject({
      type: 'SourceUnreachable',
      message: message(id),
    });
    expect(await resolve(id, ofImage(image))).toMatchObject({ release_id: id });
    await box.docker.api.getImage(id).remove({ force: true });
  });

  test('an image that somebody took away from the registry is used as it is here', async () => {
    const id = registry.publish('team/gone', 'v1', 'gone');
    const image = `127.0.0.1:${registry.port}/team/gone:v1`;
    await resolve(null, ofImage(image));
    registry.withdraw('team/gone', 'v1');
    expect(await resolve(null, ofImage(image))).toMatchObject({ release_id: id });
    await box.docker.api.getImage(id).remove({ force: true });
  });

  test('starts with what it says itself', async () => {
    const id = await box.build(box.commit(['ENV SAYS=image', 'CMD ["sh", "-c", "echo $SAYS $BUILD_SHA"]']));
    await box.docker.api.getImage(id).tag({ repo: `local-${box.service}`, tag: 'v2' });
    const { release, digest } = await takeImage(`local-${box.service}:v2`);
    const instance = box.instance(ofImage(`local-${box.service}:v2`), { ...release, digest });
    await box.driver.start(instance, soon());
    await until(async () => (await box.driver.logs?.tail(instance, 1))?.lines[0] === `image ${id}`);
    expect((await inspected(box, instance)).Image).toBe(id);
    expect((await box.driver.identity(instance)).every(({ ok }) => ok)).toBe(true);
    await box.docker.api.getImage(`local-${box.service}:v2`).remove();
  });
});
