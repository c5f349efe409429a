import getPort from 'get-port';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Instance } from '../../../domain/deploy/instance.ts';
import { until } from '../../support/box.ts';
import { describeDocker, inspected, makeDockerBox, soon, type DockerBox } from '../../support/docker.ts';

describeDocker('D1 what a service says of its container', () => {
  let box: DockerBox;
  beforeAll(async () => {
    box = await makeDockerBox();
  });
  afterAll(() => box.close());

  const lines = async (instance: Instance) => (await box.driver.logs?.tail(instance, 100))?.lines ?? [];
  const body = (port: number) =>
    fetch(`http://127.0.0.1:${port}/index.html`).then(
      (answer) => answer.text(),
      () => '',
    );
  const serve = 'mkdir /www; echo "hello from $BUILD_SHA" > /www/index.html; exec httpd -f -p "$PORT" -h /www';

  test('a port is published on this machine alone', async () => {
    const host = await getPort();
    const ports = [{ container: 80, host }];
    const instance = await box.run(serve, { run: { env: { PORT: '80' } }, container: { ports } });
    await until(async () => (await body(host)) === `hello from ${instance.release_id}\n`);
    const { NetworkSettings } = await inspected(box, instance);
    expect(NetworkSettings.Ports['80/tcp']).toEqual([{ HostIp: '127.0.0.1', HostPort: String(host) }]);
    await box.driver.stop(instance, soon());
    expect(await body(host)).toBe('');
  });

  test('D11 two instances run beside each other on ports of their own', async () => {
    const part = {
      run: { env: { PORT: '80' } },
      container: { ports: [{ container: 80, host: '{port}' as const }] },
      traffic: { listen: { port: 8_080 } },
    };
    const [first, second] = [await getPort(), await getPort()];
    const instances = [await box.run(serve, part, { port: first }), await box.run(serve, part, { port: second })];
    await until(async () => (await body(first)) !== '' && (await body(second)) !== '');
    expect([...(await box.driver.alive(box.service))].sort()).toEqual(instances.map(({ instance }) => instance).sort());
    for (const instance of instances) await box.driver.stop(instance, soon());
  });

  test('a port that was taken meanwhile is a failure with words', async () => {
    const host = await getPort();
    const part = { run: { env: { PORT: '80' } }, container: { ports: [{ container: 80, host }] } };
    const first = await box.run(serve, part);
    await expect(box.run(serve, part)).rejects.toMatchObject({
      type: 'RunSpecInvalid',
      message: expect.stringMatching(/port is already allocated|address already in use/) as string,
    });
    await box.driver.stop(first, soon());
  });

  test('environment, argv and user are those of the specification', async () => {
    const run = { env: { OWN: 'a b "c"', EMPTY: '', BUILD_BRANCH: 'mine' } };
    const script = 'echo "$OWN|$EMPTY|$BUILD_BRANCH|$(id -u):$(id -g)"';
    const instance = await box.run(script, { run, container: { user: '1234:5678' } });
    await until(async () => (await lines(instance)).length > 0);
    expect(await lines(instance)).toEqual(['a b "c"||mine|1234:5678']);
  });

  test('a volume outlives the container, and goes to the next one', async () => {
    const name = `${box.service}-data`;
    const container = { volumes: [{ name, target: '/data' }] };
    const first = await box.run('echo kept > /data/file', { container });
    await until(async () => !(await box.driver.inspect(first)).running);
    await box.driver.pruneInstances(box.service, []);
    const readOnly = { volumes: [{ name, target: '/data', read_only: true }] };
    const second = await box.run('cat /data/file; touch /data/new || echo refused', { container: readOnly });
    await until(async () => !(await box.driver.inspect(second)).running);
    expect(await lines(second)).toEqual(expect.arrayContaining(['kept', 'refused']));
    await box.driver.pruneInstances(box.service, []);
    await box.docker.api.getVolume(name).remove();
  });

  test('a folder of this machine is bound in', async () => {
    const source = join(box.root, 'bound');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'of the box\n');
    const binds = [{ source, target: '/bound', read_only: true }];
    const instance = await box.run('cat /bound/file; touch /bound/new || echo refused', { container: { binds } });
    await until(async () => (await lines(instance)).includes('refused'));
    expect(await lines(instance)).toContain('of the box');
  });

  test('what is bound in must be there: nothing is made in its place', async () => {
    const source = join(box.root, 'not-there');
    const starting = box.run('true', { container: { binds: [{ source, target: '/x' }] } });
    await expect(starting).rejects.toMatchObject({
      type: 'RunSpecInvalid',
      message: expect.stringContaining(source) as string,
    });
    expect(await box.driver.alive(box.service)).toEqual([]);
  });

  test('in networks of the operator a service is found by its name', async () => {
    const [one, two] = [`${box.service}-one`, `${box.service}-two`];
    for (const Name of [one, two]) await box.docker.api.createNetwork({ Name });
    const server = await box.run(serve, { run: { env: { PORT: '80' } }, container: { networks: [one, two] } });
    const { NetworkSettings } = await inspected(box, server);
    expect(Object.keys(NetworkSettings.Networks).sort()).toEqual([one, two]);
    const script = `until nslookup ${box.service} | grep -q Name:; do sleep 0.1; done; echo found; sleep 1000`;
    const client = await box.run(script, { container: { networks: [two] } }, { port: 1 });
    await until(async () => (await lines(client)).includes('found'));
    // What may run beside another one is not found by the name of both.
    const aliases = Object.values((await inspected(box, client)).NetworkSettings.Networks).map(
      ({ Aliases }) => Aliases as string[],
    );
    expect(aliases.flat()).not.toContain(box.service);
    for (const instance of [server, client]) await box.driver.stop(instance, soon());
    await box.driver.pruneInstances(box.service, []);
    for (const name of [one, two]) await box.docker.api.getNetwork(name).remove();
  });

  test('a network that is not there is a failure with words, and leaves nothing', async () => {
    const starting = box.run('true', { container: { networks: ['no-such-network'] } });
    const message = expect.stringContaining('docker network create no-such-network') as string;
    await expect(starting).rejects.toMatchObject({ type: 'RunSpecInvalid', message });
  });

  test('Docker looks after the health check', async () => {
    const healthcheck = { argv: ['test', '-e', '/tmp/well'], interval_ms: 1_000, timeout_ms: 1_000, retries: 2 };
    const script = 'mkdir -p /tmp; touch /tmp/well; sleep 1000';
    const instance = await box.run(script, { container: { healthcheck } });
    const health = async () => (await inspected(box, instance)).State.Health?.Status;
    await until(async () => (await health()) !== 'starting', 20_000);
    expect(await health()).toBe('healthy');
    await box.driver.stop(instance, soon());
  });

  test("the operator's labels are there, and do not stand in for ours", async () => {
    const labels = { 'traefik.enable': 'true', 'holdfast.instance': 'forged' };
    const instance = await box.run('true', { container: { labels } });
    const { Config } = await inspected(box, instance);
    expect(Config.Labels).toMatchObject({ 'traefik.enable': 'true', 'holdfast.instance': instance.instance });
  });

  test('the log is kept within limits', async () => {
    const instance = await box.run('true');
    const { LogConfig } = (await inspected(box, instance)).HostConfig;
    expect(LogConfig).toEqual({ Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } });
  });
});
