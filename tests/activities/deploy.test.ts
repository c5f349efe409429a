import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDeployActivities, type DeployActivities } from '../../activities/deploy.ts';
import { createReleaseFolders } from '../../adapters/files/releases.ts';
import { createGitSource } from '../../adapters/git/source.ts';
import { createLockStore } from '../../adapters/postgres/locks.ts';
import { createServiceStore, type ServiceStore } from '../../adapters/postgres/services.ts';
import { createProbe } from '../../adapters/probe/probe.ts';
import { createProcessDriver, type ProcessDriver } from '../../adapters/process/driver.ts';
import { serviceSpecSchema } from '../../domain/service.ts';
import { createWebRepository } from '../../infra/demo/web-service.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { freshDatabases, type TestDatabases } from '../support/servers.ts';
import { removeTree } from '../support/remove-tree.ts';

const service = 'web';
let root: string;
let databases: TestDatabases;
let services: ServiceStore;
let processes: ProcessDriver;
let activities: DeployActivities;
let lock_token: string;
let release_id: string;
let free = 10 ** 12;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-activities-'));
  databases = await freshDatabases();
  services = createServiceStore(databases.ops);
  const locks = createLockStore(databases.ops);
  const env = process.env;
  processes = createProcessDriver({ root, keeperPath: join(packageRoot, 'dist/adapters/process/keeper.js'), env });
  activities = createDeployActivities({
    services,
    locks,
    processes,
    git: createGitSource({ root, env }),
    folders: createReleaseFolders({ root, env }),
    sample: createProbe(processes, env),
    freeBytes: async () => free,
  });
  const repository = await createWebRepository(join(root, 'repository'));
  release_id = await repository.commit({ number: 1, wellForMs: null });
  const spec = {
    source: { git: join(root, 'repository'), ref: 'main' },
    build: [{ argv: ['sh', '-c', 'echo "$BUILD_SHA" > built-from'] }],
    run: { argv: ['sleep', '60'] },
    watch: { startup_ms: 1_000, stable_ms: 500, window_ms: 2_000, period_ms: 100 },
    retention: { keep_releases: 2 },
  };
  await services.register(service, { ...serviceSpecSchema.parse(spec), box: 'here' });
  const taken = await locks.acquire([{ resource: `service/${service}`, mode: 'exclusive' }], {
    workflow_id: `deploy/${service}`,
    run_id: 'r',
  });
  lock_token = 'held' in taken ? (taken.held[0]?.token ?? '') : '';
});

afterAll(async () => {
  for (const { instance } of await processes.alive(service))
    await processes.stop(service, instance, { timeout_ms: 500 });
  await databases.drop();
  removeTree(root);
});

const inActivity = <T>(work: () => Promise<T>): Promise<T> =>
  new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') }).run(work);
const release = () => ({ release_id, branch: 'main', committed_at: '2026-01-01T00:00:00Z' });
const order = (instance: string) => ({ service, release_id, instance, lock_token });
const desire = async (instance: string | null) => {
  const { epoch } = (await services.find(service))?.desired ?? { epoch: 0 };
  await services.setDesired(service, epoch, { release_id, state: instance === null ? 'stopped' : 'running', instance });
};

describe('the side effects of a deploy', () => {
  test('D3 a ref is resolved after a fetch: what was committed a moment ago is what is deployed', async () => {
    await expect(inActivity(() => activities.resolveRelease(service, 'main'))).resolves.toMatchObject({
      release_id,
      branch: 'main',
    });
  });

  test('D3 an unknown ref is a permanent failure', async () => {
    await expect(inActivity(() => activities.resolveRelease(service, 'nope'))).rejects.toMatchObject({
      type: 'RefUnknown',
    });
  });

  test('D12 a full disk is a guard that says so', async () => {
    free = 1;
    await expect(inActivity(() => activities.checkGuards(service))).rejects.toMatchObject({ type: 'GuardRefused' });
    free = 10 ** 12;
    await expect(inActivity(() => activities.checkGuards(service))).resolves.toEqual({ free_disk_bytes: 10 ** 12 });
  });

  test('D2 a release that is built again, by a retried activity, is the same release', async () => {
    const first = await inActivity(() => activities.buildRelease(service, release(), lock_token));
    const again = await inActivity(() => activities.buildRelease(service, release(), lock_token));
    expect(again).toEqual(first);
    expect(await services.releases(service)).toHaveLength(1);
    await expect(inActivity(() => activities.verifyRelease(service, release_id))).resolves.toBe('ok');
  });

  test('a run that has lost its lock builds, starts and stops nothing', async () => {
    await desire('lost.1');
    const lost = { ...order('lost.1'), lock_token: '0' };
    const failure = { type: 'LockLost' };
    await expect(inActivity(() => activities.buildRelease(service, release(), '0'))).rejects.toMatchObject(failure);
    await expect(inActivity(() => activities.startInstance(lost))).rejects.toMatchObject(failure);
    expect(await processes.alive(service)).toHaveLength(0);
  });

  test('an attempt that wakes up after the service was given up starts nothing', async () => {
    await desire(null);
    await expect(inActivity(() => activities.startInstance(order('late.1')))).rejects.toMatchObject({
      type: 'DesiredStateChanged',
    });
    expect(await processes.alive(service)).toHaveLength(0);
  });

  test('started twice by a retried activity it is one process; stopping the others leaves it', async () => {
    await desire('a.1');
    const first = await inActivity(() => activities.startInstance(order('a.1')));
    const again = await inActivity(() => activities.startInstance(order('a.1')));
    expect(again.pid).toBe(first.pid);
    await expect(inActivity(() => activities.stopOthers({ service, lock_token, keep: 'a.1' }))).resolves.toEqual([]);
    expect(await processes.alive(service)).toEqual([{ instance: 'a.1', pid: first.pid }]);
    await expect(inActivity(() => activities.stopOthers({ service, lock_token, keep: 'b.1' }))).resolves.toEqual([
      'a.1',
    ]);
    expect(await processes.alive(service)).toHaveLength(0);
  });

  test('D6 looking ends early when the process is gone, with how it ended', async () => {
    const samples = await inActivity(() => activities.observeInstance(service, 'a.1', 20));
    expect(samples).toHaveLength(1);
    expect(samples[0]).toMatchObject({ running: false, healthy: false, reason: 'process_exited:143' });
  });

  test('D2 retention takes the bits of what is not kept, and the registry says gone', async () => {
    await services.setStanding(service, release_id, 'built');
    await expect(inActivity(() => activities.prune(service, { releases: [], instance: 'x' }))).resolves.toEqual([
      release_id,
    ]);
    await expect(inActivity(() => activities.verifyRelease(service, release_id))).resolves.toBe('missing');
    expect((await services.releases(service))[0]?.standing).toBe('gone');
  });
});
