import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { createOperationsActivities, type OperationsActivities } from '../../activities/operations.ts';
import { createOverrideActivities } from '../../activities/overrides.ts';
import { createDeployStore } from '../../adapters/postgres/deploys.ts';
import { createEventStore } from '../../adapters/postgres/events.ts';
import { createInstanceStore } from '../../adapters/postgres/instances.ts';
import { createLockStore } from '../../adapters/postgres/locks.ts';
import { createOverrideStore } from '../../adapters/postgres/overrides.ts';
import { createServiceStore } from '../../adapters/postgres/services.ts';
import { emptyResult } from '../../domain/deploy/result.ts';
import type { DeployInput } from '../../domain/deploy/run.ts';
import { deployRequestSchema, type DeployResult } from '../../domain/deploy/schemas.ts';
import { serviceSpecSchema } from '../../domain/service.ts';
import { freshDatabases, type TestDatabases } from '../support/servers.ts';

let databases: TestDatabases;
let operations: OperationsActivities;
const closed = new Set<string>();

beforeAll(async () => {
  databases = await freshDatabases();
  const services = createServiceStore(databases.ops);
  operations = createOperationsActivities({
    services,
    deploys: createDeployStore(databases.ops),
    events: createEventStore(databases.ops),
    locks: createLockStore(databases.ops),
    instances: createInstanceStore(databases.ops),
    runs: { wakeWatch: async () => undefined, tellWatch: async () => undefined },
    isClosed: async ({ run_id }) => closed.has(run_id),
  });
  const spec = serviceSpecSchema.parse({ source: { git: '/srv/web.git' }, run: { argv: ['true'] } });
  await services.register('web', { ...spec, box: 'here' });
});
afterAll(() => databases.drop());

const inActivity = <T>(work: () => Promise<T>): Promise<T> =>
  new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') }).run(work);
const run = (run_id: string) => ({ workflow_id: `deploy/${run_id}`, run_id });
const exclusive = (resource: string) => [{ resource, mode: 'exclusive' as const }];
const shared = (resource: string) => [{ resource, mode: 'shared' as const }];

describe('locks', () => {
  test('an exclusive lock is held by one run, and a conflict names the holder', async () => {
    await inActivity(() => operations.takeLocks(exclusive('service/a'), run('r1')));
    await expect(inActivity(() => operations.takeLocks(exclusive('service/a'), run('r2')))).rejects.toThrow(
      'service/a is held by deploy/r1',
    );
    await inActivity(() => operations.releaseLocks(run('r1')));
    await expect(inActivity(() => operations.takeLocks(exclusive('service/a'), run('r2')))).resolves.toHaveLength(1);
  });

  test('a retried activity gets the lock that it took already, with the same fencing token', async () => {
    const first = await inActivity(() => operations.takeLocks(exclusive('service/b'), run('r3')));
    const again = await inActivity(() => operations.takeLocks(exclusive('service/b'), run('r3')));
    expect(again).toEqual(first);
  });

  test('shared locks stand beside each other and keep an exclusive one out', async () => {
    await inActivity(() => operations.takeLocks(shared('data'), run('r4')));
    await inActivity(() => operations.takeLocks(shared('data'), run('r5')));
    await expect(inActivity(() => operations.takeLocks(exclusive('data'), run('r6')))).rejects.toThrow(
      'data is held by',
    );
  });

  test('all or none: a run that cannot have the second lock does not keep the first', async () => {
    await inActivity(() => operations.takeLocks(exclusive('service/d'), run('r7')));
    const both = [...exclusive('service/c'), ...exclusive('service/d')];
    await expect(inActivity(() => operations.takeLocks(both, run('r8')))).rejects.toThrow('service/d');
    await expect(inActivity(() => operations.takeLocks(exclusive('service/c'), run('r9')))).resolves.toHaveLength(1);
  });

  test('what a closed run left behind is reaped, and later tokens are larger', async () => {
    const [left] = await inActivity(() => operations.takeLocks(exclusive('service/e'), run('dead')));
    closed.add('dead');
    const [taken] = await inActivity(() => operations.takeLocks(exclusive('service/e'), run('r10')));
    expect(Number(taken?.token)).toBeGreaterThan(Number(left?.token));
  });

  test('fifty runs at once: one has the lock', async () => {
    const tries = Array.from({ length: 50 }, (_, i) =>
      inActivity(() => operations.takeLocks(exclusive('service/f'), run(`crowd-${i}`))),
    );
    const ends = await Promise.allSettled(tries);
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('records', () => {
  const input = (deploy_id: string): DeployInput => ({
    deploy_id,
    service: 'web',
    box: 'here',
    actor: 'tester',
    request: deployRequestSchema.parse({}),
  });

  test('D13 a record that is written again by a retried activity is there once', async () => {
    const id = randomUUID();
    await inActivity(() => operations.openDeploy(input(id), run('o1')));
    const entry = {
      deploy_id: id,
      phase: 'watch',
      result: emptyResult(input(id).request, 'self_hosted'),
      evidence: [{ check: 'watch.candidate', phase: 'watch', ok: true, reason: 'http_ok' }],
      events: [
        { type: 'deploy.started', subject: 'service/web', actor: 'tester', deploy_id: id, once: `${id}/started` },
      ],
    } as const;
    await inActivity(() => operations.record(entry));
    await inActivity(() => operations.record(entry));
    expect((await createDeployStore(databases.ops).find(id))?.evidence).toHaveLength(1);
    expect(await databases.ops`select 1 from events where deploy_id = ${id}`).toHaveLength(1);
  });

  test('D2 what was refused before it was tried leaves the registry’s word of the release as it was', async () => {
    const services = createServiceStore(databases.ops);
    const release_id = 'c'.repeat(40);
    const facts = { branch: 'main', committed_at: null, digest: 'd', config_hash: 'h' };
    await services.recordBuilt('web', { release_id, ...facts, schema_version: null, schema_reads_to: null });
    const end = (part: Partial<DeployResult>) =>
      inActivity(() =>
        operations.recordOutcome(input(randomUUID()), {
          ...emptyResult(deployRequestSchema.parse({}), 'self_hosted'),
          requested_release_id: release_id,
          ...part,
        }),
      );
    const said = async () => (await services.releases('web')).find((each) => each.release_id === release_id)?.outcome;
    await end({ outcome: 'promoted', deployed_release_id: release_id });
    await end({ outcome: 'refused' });
    expect(await said()).toBe('promoted');
    await end({ outcome: 'discarded' });
    expect(await said()).toBe('discarded');
  });

  test('D9 what a request overrides is on the record, with who, why and until when; a retry adds nothing', async () => {
    const deploy_id = randomUUID();
    const expires_at = '2030-01-01T00:00:00.000Z';
    const policy_override = { action: 'deny', reason: 'looking at it myself', expires_at } as const;
    const asked = { ...input(deploy_id), request: deployRequestSchema.parse({ policy_override }) };
    await inActivity(() => operations.openDeploy(asked, run('o9')));
    const overrides = createOverrideStore(databases.ops);
    const activities = createOverrideActivities(overrides);
    await activities.recordRequested(asked);
    await activities.recordRequested(asked);
    expect(await overrides.list(deploy_id)).toMatchObject([
      { actor: 'tester', accepted: true, ...policy_override, expires_at: new Date(expires_at) },
    ]);
    expect(await databases.ops`select type, actor, data from events where deploy_id = ${deploy_id}`).toMatchObject([
      { type: 'override.accepted', actor: 'tester', data: policy_override },
    ]);
  });

  test('D13 events are append-only, also for whoever reaches the database as Holdfast', async () => {
    await inActivity(() =>
      operations.appendEvent({ type: 'service.stopped', subject: 'service/web', actor: 'tester' }),
    );
    await expect(databases.ops`update events set actor = 'nobody'`).rejects.toThrow('append-only');
    await expect(databases.ops`delete from events`).rejects.toThrow('append-only');
    await expect(databases.ops`truncate events`).rejects.toThrow('append-only');
  });

  test('an unknown service is a permanent failure', async () => {
    await expect(inActivity(() => operations.serviceFacts('nobody', null))).rejects.toMatchObject({
      type: 'ServiceUnknown',
    });
  });
});

describe('desired state', () => {
  const to = (release_id: string) => ({ release_id, state: 'running', instance: `${release_id}.1` }) as const;

  test('it is changed only by who saw it as it is, and the same change again is the same epoch', async () => {
    const { desired } = await inActivity(() => operations.serviceFacts('web', null));
    const epoch = await inActivity(() => operations.setDesired('web', desired.epoch, to('a')));
    expect(await inActivity(() => operations.setDesired('web', desired.epoch, to('a')))).toBe(epoch);
    await expect(inActivity(() => operations.setDesired('web', desired.epoch, to('b')))).rejects.toMatchObject({
      type: 'DesiredStateChanged',
    });
  });
});
