import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDocker, type Docker } from '../../adapters/docker/connection.ts';
import { ensureImage } from '../../infra/stack/container/image.ts';
import { usableDocker } from '../../infra/stack/container/part.ts';
import { describeDocker, dockerSocket, removeImagesOf } from '../support/docker.ts';
import { createFolder } from '../support/own-home.ts';
import { startRegistry, type Registry } from '../support/registry.ts';

const { signal } = new AbortController();

describeDocker('The image of a server', () => {
  const folder = createFolder();
  const local: string[] = [];
  let docker: Docker;
  let registry: Registry;
  let nth = 0;

  beforeAll(async () => {
    docker = createDocker({ socketPath: dockerSocket() });
    registry = await startRegistry();
  });
  afterAll(async () => {
    registry.stop();
    await removeImagesOf(docker, registry);
    for (const name of local) await removeImage(name);
    folder.remove();
  });

  async function removeImage(name: string): Promise<void> {
    await docker.api
      .getImage(name)
      .remove({ force: true })
      .catch(() => undefined);
  }

  /** A repository of its own in the registry, and a data folder that has seen nothing yet. */
  function fresh() {
    nth += 1;
    const repository = `server-${nth}`;
    const reference = `127.0.0.1:${registry.port}/${repository}:1`;
    const said: string[] = [];
    const home = { path: (...parts: string[]) => join(folder.path, `home-${nth}`, ...parts) };
    const search = { docker, home, mayPull: true, say: (line: string) => said.push(line), signal };
    return {
      repository,
      reference,
      said,
      records: home.path('images.txt'),
      ensure: () => ensureImage(reference, search),
    };
  }

  function digestOn(records: string, reference: string): string {
    const line = readFileSync(records, 'utf8')
      .split('\n')
      .find((each) => each.startsWith(`${reference} `));
    return line?.split(' ')[1] ?? '';
  }

  test('is pulled and put on record at its first use, and is asked for nowhere later', async () => {
    const { repository, reference, said, records, ensure } = fresh();
    const id = registry.publish(repository, '1', 'one');
    expect(await ensure()).toBe(id);
    expect(said).toEqual([`pulling the image ${reference}, once`]);
    expect(digestOn(records, reference)).toMatch(/^sha256:[0-9a-f]{64}$/);
    registry.withdraw(repository, '1');
    expect(await ensure()).toBe(id);
    expect(said).toHaveLength(1);
  });

  test('a tag that was moved is not followed: what it meant at first is pulled again', async () => {
    const { repository, reference, ensure } = fresh();
    const id = registry.publish(repository, '1', 'as it was');
    await ensure();
    await removeImage(reference);
    registry.publish(repository, '1', 'moved');
    expect(await ensure()).toBe(id);
  });

  test('an image that changed is refused, in the registry and on this machine', async () => {
    const { repository, reference, records, ensure } = fresh();
    registry.publish(repository, '1', 'trusted');
    await ensure();
    const digest = digestOn(records, reference);
    await removeImage(reference);
    registry.forgetAll();
    registry.publish(repository, '1', 'another');
    const refused = {
      name: 'Untrusted',
      message: expect.stringContaining(`first use, ${digest}, and is refused`) as string,
    };
    await expect(ensure()).rejects.toMatchObject(refused);
    await docker.ask(async () => {
      const pulled = await docker.api.pull(reference);
      await new Promise((resolve) => docker.api.modem.followProgress(pulled, resolve));
    });
    await expect(ensure()).rejects.toMatchObject(refused);
  });

  test('one that no registry made is known by its content', async () => {
    const { repository, reference, records, ensure } = fresh();
    const id = registry.publish(repository, '1', 'local');
    await ensure();
    const own = `holdfast-test-local-${nth}:1`;
    local.push(own);
    await docker.api.getImage(reference).tag({ repo: own.split(':')[0] ?? '', tag: '1' });
    const home = { path: (...parts: string[]) => join(folder.path, `home-local-${nth}`, ...parts) };
    expect(await ensureImage(own, { docker, home, mayPull: true, say: () => undefined, signal })).toBe(id);
    expect(existsSync(records)).toBe(true);
  });

  test('one that the registry does not have closes the way, and leaves no record', async () => {
    const { records, ensure } = fresh();
    await expect(ensure()).rejects.toMatchObject({
      name: 'WayClosed',
      message: expect.stringMatching(/cannot be pulled: .*(unknown|not found)/) as string,
    });
    expect(existsSync(records)).toBe(false);
  });

  test('where downloads are off no registry is asked, and what is here is used', async () => {
    const { repository, reference, ensure } = fresh();
    const id = registry.publish(repository, '1', 'here');
    const home = { path: (...parts: string[]) => join(folder.path, `home-off-${nth}`, ...parts) };
    const off = () => ensureImage(reference, { docker, home, mayPull: false, say: () => undefined, signal });
    await expect(off()).rejects.toMatchObject({
      name: 'WayClosed',
      message: expect.stringContaining('downloads are off') as string,
    });
    await ensure();
    expect(await off()).toBe(id);
  });

  test('a registry that is down closes the way', async () => {
    const gone = await startRegistry();
    gone.stop();
    const home = { path: (...parts: string[]) => join(folder.path, 'home-down', ...parts) };
    const attempt = ensureImage(`127.0.0.1:${gone.port}/server:1`, {
      docker,
      home,
      mayPull: true,
      say: () => undefined,
      signal,
    });
    await expect(attempt).rejects.toMatchObject({
      name: 'WayClosed',
      message: expect.stringContaining('connection refused') as string,
    });
  });

  test('a layer that breaks off is fetched again', async () => {
    const { repository, ensure } = fresh();
    const id = registry.publish(repository, '1', 'long '.repeat(10_000));
    registry.breakOff(1);
    expect(await ensure()).toBe(id);
  });

  test('a layer of other bytes closes the way', async () => {
    const { repository, records, ensure } = fresh();
    registry.publish(repository, '1', 'right');
    registry.damage(true);
    try {
      await expect(ensure()).rejects.toMatchObject({ name: 'WayClosed' });
    } finally {
      registry.damage(false);
    }
    expect(existsSync(records)).toBe(false);
  });

  test('a pull that is interrupted says nothing of a registry', async () => {
    const { repository, reference } = fresh();
    registry.publish(repository, '1', 'interrupted');
    const home = { path: (...parts: string[]) => join(folder.path, `home-stopped-${nth}`, ...parts) };
    const stopped = {
      docker,
      home,
      mayPull: true,
      say: () => undefined,
      signal: AbortSignal.abort(new Error('stopped')),
    };
    await expect(ensureImage(reference, stopped)).rejects.toThrow('stopped');
  });
});

test('where no Docker answers the way is closed, with its address', async () => {
  await expect(usableDocker('unix:///nonexistent/docker.sock')).rejects.toMatchObject({
    name: 'WayClosed',
    message: expect.stringContaining('/nonexistent/docker.sock (ENOENT)') as string,
  });
});
