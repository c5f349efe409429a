import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPushRowActivities, type PushActivities } from '../../activities/push.ts';
import { createPoints } from '../../adapters/backup/points.ts';
import { openSigningKey, trustKey } from '../../adapters/backup/signing-key.ts';
import { createEventStore } from '../../adapters/postgres/events.ts';
import { createRecoveryState } from '../../adapters/postgres/recovery-state.ts';
import { pushNowSignal } from '../../domain/offsite/run.ts';
import { offsiteWorld, runPull, runPush, statesOf, until } from '../support/offsite-world.ts';
import { freshDatabases, type TestDatabases } from '../support/servers.ts';

jest.setTimeout(240_000);

let databases: TestDatabases;
beforeAll(async () => (databases = await freshDatabases()));
afterAll(() => databases.drop());

const world = () => offsiteWorld(databases);

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
    expect(await on.locks.list()).toEqual([]);
    renameSync(asleep, on.disk);
    await handle.signal(pushNowSignal);
  });
  expect(await statesOf(on)).toEqual({ [old]: 'verified', [young]: 'verified' });
  expect(await on.offsite.find(on.target.name)).toMatchObject({ state: 'reachable', reason: null });
  expect(await on.offsite.lag(on.target)).toMatchObject({ waiting: 0, lag_seconds: 0, newest_verified: young });
  expect(await on.events()).toEqual(['offsite.away', 'offsite.verified', 'offsite.verified']);
  on.remove();
});

test('B5 what is watched and what is shown of a target are the same figures, of points that a restore could take', async () => {
  const on = await world();
  const [old, middle, young] = [await on.point(120), await on.point(90), await on.point(60)];
  await databases.ops`update recovery_points set proved = proved - 'L2' where stamp = ${young}`;
  await on.offsite.beginCopy(on.target.name, { stamp: middle, bytes: 1 });
  await on.offsite.record(on.target.name, middle, { state: 'verified', reason: 'read back whole', bytes: 1 });
  const { targets } = await createRecoveryState(databases.ops)();
  expect(targets.find(({ target }) => target === on.target.name)).toMatchObject({ waiting: 1, lag_seconds: 0 });
  expect(await on.offsite.lag(on.target)).toMatchObject({ waiting: 1, lag_seconds: 0 });
  expect((await on.offsite.nextToPush(on.target.name))?.stamp).toBe(old);
  on.remove();
});

test('B4 B5 D13 a worker that dies while it writes what came of a try: the event is there all the same, once', async () => {
  const on = await world();
  const stamp = await on.point(5);
  const events = createEventStore(databases.ops);
  const dies = async () => Promise.reject(new Error('the worker is gone'));
  const rows = (lost: { readonly event?: typeof dies; readonly row?: typeof dies }) =>
    createPushRowActivities({
      plan: on.planner(),
      offsite: { ...on.offsite, ...(lost.row && { record: lost.row }) },
      retention: { ...on.retention, ...(lost.row && { say: lost.row }) },
      events: { ...events, ...(lost.event && { append: lost.event }) },
    });
  const push = (lost: Parameters<typeof rows>[0]) =>
    rows(lost).recordPush(on.target.name, stamp, { state: 'away', reason: 'no answer', bytes: 0 }, 'a try');
  const removal = (lost: Parameters<typeof rows>[0]) =>
    rows(lost).recordRemoval(on.target.name, stamp, { state: 'denied', reason: 'the object is locked' }, 'another');
  await expect(push({ event: dies })).rejects.toThrow('gone');
  await expect(push({ row: dies })).rejects.toThrow('gone');
  for (let times = 0; times < 2; times += 1) await push({});
  await expect(removal({ event: dies })).rejects.toThrow('gone');
  await expect(removal({ row: dies })).rejects.toThrow('gone');
  for (let times = 0; times < 2; times += 1) await removal({});
  expect(await on.events()).toEqual(['offsite.away', 'offsite.retention_denied']);
  expect(await on.offsite.find(on.target.name)).toMatchObject({
    ...{ state: 'away', reason: 'no answer' },
    retention_reason: 'the object is locked',
  });
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
