import getPort from 'get-port';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createDocker } from '../../../adapters/docker/connection.ts';
import { createDockerDriver } from '../../../adapters/drivers/docker.ts';
import { describeDocker, makeDockerBox, soon, type DockerBox } from '../../support/docker.ts';

describeDocker('D12 what would keep a container from starting is seen before anything changes', () => {
  let box: DockerBox;
  beforeAll(async () => {
    box = await makeDockerBox();
  });
  afterAll(() => box.close());

  const obstacles = (container: object, service = box.service) =>
    box.driver.obstacles(box.spec({ container }), service);
  const published = (host: number, more = {}) => ({ ports: [{ container: 80, host, ...more }] });
  const containing = (...parts: string[]) => parts.map((part) => expect.stringContaining(part) as string);

  test('nothing, when there is nothing', async () => {
    const { api } = box.docker;
    const network = `${box.service}-net`;
    await api.createNetwork({ Name: network });
    const binds = [{ source: box.root, target: '/x' }];
    const container = { ...published(await getPort()), binds, networks: [network, 'bridge'] };
    expect(await obstacles(container)).toEqual([]);
    await api.getNetwork(network).remove();
  });

  test('networks and sources that are not there, all at once, with what to do', async () => {
    const source = join(box.root, 'missing');
    const found = await obstacles({ networks: ['no-such-network'], binds: [{ source, target: '/x' }] });
    expect(found).toEqual(containing('docker network create no-such-network', `${source} is not there`));
  });

  test('a port of another program', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    expect(await obstacles(published(port))).toEqual(
      containing(`port ${port} of 127.0.0.1 is used by another program`),
    );
    expect(await obstacles(published(port, { address: '0.0.0.0' }))).toHaveLength(1);
    expect(await obstacles(published(port, { address: '127.0.0.2' }))).toEqual([]);
    expect(await obstacles(published(port, { protocol: 'udp' }))).toEqual([]);
    server.close();
  });

  test('a port of another program, of UDP', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    expect(await obstacles(published(socket.address().port, { protocol: 'udp' }))).toHaveLength(1);
    socket.close();
  });

  test('an address of another machine', async () => {
    const found = await obstacles(published(await getPort(), { address: '198.51.100.7' }));
    expect(found).toEqual(containing('198.51.100.7 is not an address of this box'));
  });

  test("a port of another service's container, but not one of its own", async () => {
    const host = await getPort();
    const instance = await box.run('sleep 1000', { container: published(host) });
    expect(await obstacles(published(host))).toEqual([]);
    const name = box.containerOf(instance);
    expect(await obstacles(published(host), 'other')).toEqual(containing(`published by the container ${name}`));
    await box.driver.stop(instance, soon());
    expect(await obstacles(published(host), 'other')).toEqual([]);
  });

  test('a port that each instance is given is nobody’s yet', async () => {
    const container = { ports: [{ container: 80, host: '{port}' }] };
    const spec = box.spec({ container, traffic: { listen: { port: 8_080 } } } as Parameters<DockerBox['spec']>[0]);
    expect(await box.driver.obstacles(spec, box.service)).toEqual([]);
  });

  test('a Docker that is not there', async () => {
    const docker = createDocker({ socketPath: join(box.root, 'no.sock') });
    const git = { fetch: fail, resolve: fail, export: fail };
    const driver = createDockerDriver({ docker, git, home: box.home, root: box.root });
    expect(await driver.obstacles(box.spec(), box.service)).toEqual(containing('Docker does not answer at'));
  });
});

const fail = () => Promise.reject(new Error('not asked'));
