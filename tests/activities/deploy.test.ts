import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import getPort from 'get-port';
import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDeployActivities, type DeployActivities } from '../../activities/deploy.ts';
import { createBox, type Box } from '../../adapters/box.ts';
import { createDeployStore } from '../../adapters/postgres/deploys.ts';
import { createInstanceStore, type InstanceStore } from '../../adapters/postgres/instances.ts';
import { createLockStore } from '../../adapters/postgres/locks.ts';
import { createServiceStore, type ServiceStore } from '../../adapters/postgres/services.ts';
import { probeDependency, sample } from '../../adapters/probe/sampler.ts';
import { emptyResult } from '../../domain/deploy/result.ts';
import { deployRequestSchema } from '../../domain/deploy/schemas.ts';
import { nothingSeen } from '../../domain/deploy/watch.ts';
import { serviceSpecSchema } from '../../domain/service.ts';
import { boxPaths } from '../../infra/box-paths.ts';
import { createWebRepository } from '../../infra/demo/web-service.ts';
import { freshDatabases, type TestDatabases } from '../support/servers.ts';
import { removeTree } from '../support/remove-tree.ts';

const service = 'web';
const deploy_id = randomUUID();
let root: string;
let databases: TestDatabases;
let services: ServiceStore;
let instances: InstanceStore;
let box: Box;
let activities: DeployActivities;
let lock_token: string;
let release_id: string;
let free = 10 ** 12;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-activities-'));
  databases = await freshDatabases();
  services = createServiceStore(databases.ops);
  instances = createInstanceStore(databases.ops);
  const deploys = createDeployStore(databases.ops);
  const locks = createLockStore(databases.ops);
  const paths = boxPaths({ home: root, dockerHost: `unix://${join(root, 'no-docker.sock')}` });
  box = createBox({ ...paths, env: process.env, instances });
  activities = createDeployActivities({
    ...{ services, deploys, instances, locks, sample, probeDependency },
    ...{ drivers: box.drivers, traffic: box.traffic, sources: box.sources },
    freeBytes: async () => free,
    freePort: () => getPort({ host: '127.0.0.1' }),
    recoveryPointAt: async () => null,
  });
  const repository = await createWebRepository(join(root, 'repository'));
  release_id = await repository.commit({ number: 1, wellForMs: null });
  const spec = {
    source: { git: join(root, 'repository'), ref: 'main' },
    build: [{ argv: ['sh', '-c', 'echo "$BUILD_SHA" > built-from'] }],
    run: { argv: ['sleep', '60'] },
    watch,
    retention: { keep_releases: 2 },
  };
  const registered = { ...serviceSpecSchema.parse(spec), box: 'here' };
  await services.register(service, registered);
  const request = deployRequestSchema.parse({});
  const run = { workflow_id: `deploy/${service}`, run_id: 'r' };
  const input = { deploy_id, service, box: 'here', actor: 'tester', request };
  await deploys.open(input, run, emptyResult(request, 'self_hosted'), registered);
  const taken = await locks.acquire([{ resource: `service/${service}`, mode: 'exclusive' }], run);
  lock_token = 'held' in taken ? (taken.held[0]?.token ?? '') : '';
});

afterAll(async () => {
  await inActivity(() => activities.stopOthers({ service, lock_token, keep: [] }));
  await databases.drop();
  removeTree(root);
});

const watch = { startup_ms: 1_000, stable_ms: 500, window_ms: 2_000, period_ms: 100 };
const inActivity = <T>(work: () => Promise<T>): Promise<T> =>
  new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') }).run(work);
const release = () => ({ release_id, branch: 'main', committed_at: '2026-01-01T00:00:00Z' });
const right = () => ({ service, lock_token });
const place = (instance: string) =>
  inActivity(() =>
    activities.placeInstance({ ...right(), instance, deploy_id, run_id: 'r', release_id, role: 'candidate' }),
  );
const start = (instance: string, token = lock_token) =>
  inActivity(() => activities.startInstance({ service, lock_token: token, instance }));

describe('the side effects of a deploy', () => {
  test('D3 a ref is resolved after a fetch: what was committed a moment ago is what is deployed', async () => {
    await expect(inActivity(() => activities.resolveRelease(deploy_id, 'main'))).resolves.toMatchObject({
      release_id,
      branch: 'main',
    });
    await expect(inActivity(() => activities.resolveRelease(deploy_id, null))).resolves.toMatchObject({ release_id });
  });

  test('D3 an unknown ref is a permanent failure', async () => {
    await expect(inActivity(() => activities.resolveRelease(deploy_id, 'nope'))).rejects.toMatchObject({
      type: 'RefUnknown',
    });
  });

  test('D12 a full disk is a guard that says so', async () => {
    const disk = async () =>
      (await inActivity(() => activities.checkGuards(deploy_id, 'deploy'))).find(({ guard }) => guard === 'disk_space');
    free = 1;
    expect(await disk()).toMatchObject({ ok: false });
    free = 10 ** 12;
    expect(await disk()).toMatchObject({ ok: true });
  });

  test('D2 a release that is built again, by a retried activity, is the same release', async () => {
    const build = (token: string) => inActivity(() => activities.buildRelease(deploy_id, release(), token));
    await expect(build('0')).rejects.toMatchObject({ type: 'LockLost' });
    const first = await build(lock_token);
    expect(await build(lock_token)).toEqual(first);
    expect(await services.releases(service)).toHaveLength(1);
    await expect(inActivity(() => activities.verifyRelease(deploy_id, release_id))).resolves.toBe('ok');
  });

  test('D1 a run that has lost its lock starts and stops nothing', async () => {
    await place('lost.1');
    await expect(start('lost.1', '0')).rejects.toMatchObject({ type: 'LockLost' });
    const stop = inActivity(() => activities.stopOthers({ service, lock_token: '0', keep: [] }));
    await expect(stop).rejects.toMatchObject({ type: 'LockLost' });
    expect(await box.drivers.process.alive(service)).toEqual([]);
  });

  test('D1 an attempt that wakes up after the instance was given up starts nothing', async () => {
    await place('late.1');
    await instances.giveUp(service, ['late.1']);
    await expect(start('late.1')).rejects.toMatchObject({ type: 'DesiredStateChanged' });
    expect(await box.drivers.process.alive(service)).toEqual([]);
  });

  test('D1 started twice by a retried activity it is one process; stopping the others leaves it', async () => {
    await place('a.1');
    const first = await start('a.1');
    expect((await start('a.1')).pid).toBe(first.pid);
    const stopOthers = (keep: string[]) => inActivity(() => activities.stopOthers({ ...right(), keep }));
    expect(await stopOthers(['a.1'])).toEqual([]);
    expect(await box.drivers.process.alive(service)).toEqual(['a.1']);
    expect(await stopOthers(['b.1'])).toEqual(['a.1']);
    expect(await box.drivers.process.alive(service)).toEqual([]);
  });

  test('D6 looking ends early when the process is gone, with how it ended', async () => {
    const rules = { ...watch, unhealthy_ms: 300, max_flaps: 3 };
    const order = { instance: 'a.1', via: 'instance', rules, expected_build_sha: null, slice_ms: 60_000 } as const;
    const seen = await inActivity(() => activities.observeInstance({ ...order, state: nothingSeen }));
    expect(seen.samples).toBe(1);
    expect(seen.last).toMatchObject({ running: false, healthy: false, reason: 'process_exited:143' });
  });

  test('D2 retention takes the bits of what is not kept, and the registry says gone', async () => {
    await services.setStanding(service, release_id, 'built');
    const prune = inActivity(() => activities.prune(service, { releases: [], instance: 'x' }));
    await expect(prune).resolves.toEqual([release_id]);
    await expect(inActivity(() => activities.verifyRelease(deploy_id, release_id))).resolves.toBe('missing');
    expect((await services.releases(service))[0]?.standing).toBe('gone');
  });
});
