import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPullActivities } from '../../activities/pull.ts';
import { createPushActivities, createPushRowActivities, type PushActivities } from '../../activities/push.ts';
import { createBackupRowActivities } from '../../activities/backup-rows.ts';
import { createPoints } from '../../adapters/backup/points.ts';
import { openSigningKey, readTrustedKeys, trustKey } from '../../adapters/backup/signing-key.ts';
import { writeManifest } from '../../adapters/backup/manifest-file.ts';
import { openTarget } from '../../adapters/offsite/open-target.ts';
import { createBackupRunStore } from '../../adapters/postgres/backup-runs.ts';
import { createEventStore } from '../../adapters/postgres/events.ts';
import { createLockStore, type LockWish } from '../../adapters/postgres/locks.ts';
import type { RunOfLock } from '../../domain/lock.ts';
import { createOffsiteStore, type StoredTarget } from '../../adapters/postgres/offsite.ts';
import { createPinStore } from '../../adapters/postgres/pins.ts';
import { createRecoveryPointStore } from '../../adapters/postgres/recovery-points.ts';
import { signedManifestSchema } from '../../domain/backup/manifest.ts';
import type { BackupResult } from '../../domain/backup/schemas.ts';
import { pushNowSignal } from '../../domain/offsite/run.ts';
import { writePoint } from '../support/offsite-point.ts';
import { ownBox, runOnTemporal } from '../support/on-temporal.ts';
import { createFolder } from '../support/own-home.ts';
import { freshDatabases, type TestDatabases } from '../support/servers.ts';

jest.setTimeout(240_000);

let databases: TestDatabases;
beforeAll(async () => (databases = await freshDatabases()));
afterAll(() => databases.drop());

/** A box with signed points, another one with nothing, and a folder that both can reach. */
async function world() {
  const folder = createFolder();
  const disk = join(folder.path, 'disk');
  mkdirSync(disk);
  const offsite = createOffsiteStore(databases.ops);
  const recoveryPoints = createRecoveryPointStore(databases.ops);
  const name = `disk-${randomUUID().slice(0, 8)}`;
  // A box of its own, so that the points of another test are not this one's.
  const box = `box-${name}`;
  const target: StoredTarget = {
    ...{ name, id: randomUUID(), box, spec: { kind: 'directory', path: disk }, enabled: true },
    ...{ actor: 'tester', state: 'unknown', reason: null, since: new Date(), looked_at: null },
  };
  const open = (place: StoredTarget, signal: AbortSignal) =>
    openTarget(place, { env: process.env, scratch: join(folder.path, 'scratch'), signal });
  const first = await open(target, new AbortController().signal);
  await first.prepare();
  await first.close();
  await offsite.put(target);
  const points = createPoints(join(folder.path, 'home/backups'));
  const keys = join(folder.path, 'home/secrets');
  return {
    ...{ ...folder, disk, offsite, recoveryPoints, target, box, open, points, keys },

    async point(minutesAgo: number): Promise<string> {
      const written = writePoint(points.root, { takenAt: new Date(Date.now() - minutesAgo * 60_000), box });
      const { manifest } = signedManifestSchema.parse(
        JSON.parse(readFileSync(join(written.folder, 'manifest.json'), 'utf8')),
      );
      await writeManifest(written.folder, manifest, await openSigningKey(keys));
      await recoveryPoints.record(manifest, box);
      return written.stamp;
    },

    /** Everything that the workflows call, for a box whose points are in `at`. */
    activities(at = points, trusted = keys, over: Partial<PushActivities> = {}): object {
      const locks = createLockStore(databases.ops);
      const events = createEventStore(databases.ops);
      const backupRuns = createBackupRunStore(databases.ops);
      const pushing = createPushActivities({
        offsite,
        openTarget: open,
        folderOf: (stamp) => at.folderOf(stamp, 'kept'),
      });
      return {
        ...createPushRowActivities({ offsite, events }),
        ...createBackupRowActivities({
          ...{ backupRuns, events, pins: createPinStore(databases), pointPublished: async () => undefined },
        }),
        ...createPullActivities({
          ...{ offsite, openTarget: open, points: at, box, recoveryPoints, backupRuns },
          trusted: () => readTrustedKeys(trusted),
        }),
        ...pushing,
        ...over,
        takeLocks: async (wishes: readonly LockWish[], run: RunOfLock) => {
          const taken = await locks.acquire(wishes, run);
          if ('held' in taken) return taken.held;
          throw new Error(`${taken.holders[0]?.resource ?? ''} is held`);
        },
        releaseLocks: ({ run_id }: RunOfLock) => locks.releaseRun(run_id),
      };
    },
  };
}

type World = Awaited<ReturnType<typeof world>>;

function runPush(on: World, activities: object, meanwhile?: Parameters<typeof runOnTemporal>[1]): Promise<null> {
  const input = { target: on.target.name, box: ownBox };
  return runOnTemporal({ type: 'push', workflowId: `push/${on.target.name}`, input, activities }, meanwhile);
}

function runPull(on: World, activities: object, stamp?: string): Promise<BackupResult> {
  const request = { target: on.target.name, ...(stamp === undefined ? {} : { stamp }) };
  const input = { backup_id: randomUUID(), box: ownBox, actor: 'tester', trigger: 'operator', request };
  return runOnTemporal({ type: 'pull', workflowId: `pull/${randomUUID()}`, input, activities });
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

async function statesOf({ offsite, target }: World): Promise<Record<string, string>> {
  return Object.fromEntries((await offsite.copies(target.name)).map(({ stamp, state }) => [stamp, state]));
}

test('B5 a host that is asleep is waited for, its lag is shown, and it gets what it missed when it wakes', async () => {
  const on = await world();
  const [old, young] = [await on.point(120), await on.point(60)];
  const asleep = `${on.disk}-asleep`;
  renameSync(on.disk, asleep);
  await runPush(on, on.activities(), async (handle) => {
    await until(async () => (await on.offsite.find(on.target.name))?.state === 'away');
    const [lag] = (await on.offsite.lags()).filter(({ target }) => target === on.target.name);
    expect(lag).toMatchObject({ waiting: 2, newest_verified: null, state: 'away' });
    expect(lag?.lag_seconds).toBeGreaterThanOrEqual(7_199);
    expect(await on.recoveryPoints.newestProven()).not.toBeNull();
    expect(await statesOf(on)).toEqual({ [young]: 'uploading' });
    // Nobody holds the point while the host sleeps: it may be pruned.
    expect(await createLockStore(databases.ops).list()).toEqual([]);
    renameSync(asleep, on.disk);
    await handle.signal(pushNowSignal);
  });
  expect(await statesOf(on)).toEqual({ [old]: 'verified', [young]: 'verified' });
  expect(await on.offsite.find(on.target.name)).toMatchObject({ state: 'reachable', reason: null });
  expect(await on.offsite.lag(on.target)).toMatchObject({ waiting: 0, lag_seconds: 0, newest_verified: young });
  const types = (await createEventStore(databases.ops).list({ limit: 50, subject: `offsite/${on.target.name}` })).map(
    ({ type }) => type,
  );
  expect(types).toEqual(['offsite.away', 'offsite.verified', 'offsite.verified']);
  on.remove();
});

test('B5 a worker that dies in the middle: the next attempt goes on, and reads nothing back twice', async () => {
  const on = await world();
  const stamp = await on.point(5);
  const usual = on.activities() as unknown as PushActivities;
  let attempts = 0;
  await runPush(
    on,
    on.activities(on.points, on.keys, {
      async pushPoint(name, due) {
        attempts += 1;
        const said = await usual.pushPoint(name, due);
        if (attempts === 1) throw new Error('the worker is gone');
        return said;
      },
    }),
  );
  expect(attempts).toBe(2);
  expect(await statesOf(on)).toEqual({ [stamp]: 'verified' });
  on.remove();
});

test('B5 what the target has under that STAMP is something else: refused, and the other points go on', async () => {
  const on = await world();
  const [old, young] = [await on.point(120), await on.point(60)];
  mkdirSync(join(on.disk, young));
  writeFileSync(join(on.disk, young, 'manifest.json'), '{}');
  await runPush(on, on.activities());
  expect(await statesOf(on)).toEqual({ [old]: 'verified', [young]: 'refused' });
  expect(readFileSync(join(on.disk, young, 'manifest.json'), 'utf8')).toBe('{}');
  on.remove();
});

test('B5 pulled with nothing local, from the newest whole point there; only what a trusted key signed', async () => {
  const on = await world();
  const [, young] = [await on.point(120), await on.point(60)];
  await runPush(on, on.activities());
  rmSync(on.points.root, { recursive: true });

  const bare = createPoints(join(on.path, 'bare/backups'));
  const keys = join(on.path, 'bare/secrets');
  const stranger = await runPull(on, on.activities(bare, keys));
  expect(stranger).toMatchObject({ outcome: 'invalid', failure_reason: expect.stringContaining('manifest') as string });
  expect(await bare.list()).toEqual([]);

  await trustKey(keys, (await openSigningKey(on.keys)).public_key);
  expect(await runPull(on, on.activities(bare, keys))).toMatchObject({ outcome: 'pulled', members: 3 });
  expect(await bare.list()).toEqual([young]);
  expect(await runPull(on, on.activities(bare, keys), young)).toMatchObject({ outcome: 'pulled' });
  on.remove();
});

test('B5 a point that is damaged at the target is not pulled, and one that is not there is said to be missing', async () => {
  const on = await world();
  const stamp = await on.point(5);
  await runPush(on, on.activities());
  const member = join(on.disk, stamp, 'members/postgres-holdfast_ops.dump.tar.zst');
  writeFileSync(member, readFileSync(member).subarray(1));
  const bare = createPoints(join(on.path, 'bare/backups'));
  expect(await runPull(on, on.activities(bare), stamp)).toMatchObject({ outcome: 'invalid' });
  expect(await bare.list()).toEqual([]);
  expect(await runPull(on, on.activities(bare), '20200101T000000Z-0000')).toMatchObject({
    outcome: 'failed',
    failure_reason: expect.stringContaining('PointUnknown') as string,
  });
  on.remove();
});
