import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { LetGoActivities } from '../../activities/let-go.ts';
import { createRecoveryState } from '../../adapters/postgres/recovery-state.ts';
import { createScheduleStore } from '../../adapters/postgres/schedules.ts';
import { retentionPolicySchema } from '../../domain/backup/retention.ts';
import { pointLock } from '../../domain/backup/run.ts';
import { pushNowSignal } from '../../domain/offsite/run.ts';
import { OffsiteTrouble } from '../../domain/offsite/trouble.ts';
import { offsiteWorld, runPush, statesOf, until, type OffsiteTestWorld } from '../support/offsite-world.ts';
import { freshDatabases, type TestDatabases } from '../support/servers.ts';

jest.setTimeout(240_000);

/** Keeps the last two. */
const policy = retentionPolicySchema.parse({ last: 2, daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 1 });

let databases: TestDatabases;
beforeAll(async () => {
  databases = await freshDatabases();
  const retention = { name: 'retention' as const, box: 'any', timing: { every_ms: 86_400_000 }, enabled: true };
  await createScheduleStore(databases.ops).put({ ...retention, request: { dry_run: false, policy } }, 'tester');
});
afterAll(() => databases.drop());

/** Five points, oldest first, all of them at the target. */
async function world() {
  const on = await offsiteWorld(databases);
  const stamps: string[] = [];
  for (const minutes of [500, 400, 300, 200, 100]) stamps.push(await on.point(minutes));
  await runPush(on, on.activities());
  return { on, stamps: stamps as [string, string, string, string, string] };
}

const isThere = ({ disk }: OffsiteTestWorld, stamp: string): boolean => existsSync(join(disk, stamp, 'manifest.json'));
const reasonOf = async (on: OffsiteTestWorld) => (await on.offsite.find(on.target.name))?.retention_reason;
/** As the alarm knows it. */
const isBlocked = async (on: OffsiteTestWorld) => {
  const { targets } = await createRecoveryState(databases.ops)();
  return targets.find(({ target }) => target === on.target.name)?.retention_blocked;
};

test('B4 B5 what this box has purged and the policy lets go goes there too, and no push brings it back', async () => {
  const { on, stamps } = await world();
  const [oldest, old, trashed, ...newest] = stamps;
  mkdirSync(join(on.disk, 'photos'));
  writeFileSync(join(on.disk, 'photos/cat.jpg'), 'mine');
  await on.purge(oldest, newest[0]);
  await on.recoveryPoints.moved(trashed, 'trash', on.box);
  // What a dry run of prune shows: as it is, and with what that prune would purge.
  const [shown] = await on.planner().ofBox(on.box, []);
  expect([shown?.target, shown?.drop.map(({ stamp }) => stamp)]).toEqual([on.target.name, [oldest]]);
  const [after] = await on.planner().ofBox(on.box, [trashed]);
  expect(after?.drop.map(({ stamp }) => stamp)).toEqual([trashed, oldest]);

  await runPush(on, on.activities());
  const gone = { [oldest]: 'removed', [old]: 'verified', [trashed]: 'verified' };
  expect(await statesOf(on)).toEqual({ ...gone, [newest[0]]: 'verified', [newest[1]]: 'verified' });
  expect(existsSync(join(on.disk, oldest))).toBe(false);
  expect(existsSync(join(on.disk, 'photos/cat.jpg'))).toBe(true);
  expect((await on.events()).filter((type) => type === 'offsite.removed')).toHaveLength(1);
  await runPush(on, on.activities());
  expect(isThere(on, oldest)).toBe(false);
  expect((await on.offsite.lag(on.target)).waiting).toBe(0);
  on.remove();
});

test('B4 a crash in the middle is finished by the next attempt, and by the next run', async () => {
  const { on, stamps } = await world();
  const [first, second, third] = stamps;
  await on.purge(first, second, third);
  // Another run was killed behind the manifest.
  await on.retention.begin(on.target.name, first);
  rmSync(join(on.disk, first, 'manifest.json'));
  const usual = on.activities() as unknown as LetGoActivities;
  let attempts = 0;
  const removeCopy: LetGoActivities['removeCopy'] = async (name, stamp) => {
    if (stamp !== second) return usual.removeCopy(name, stamp);
    attempts += 1;
    if (attempts > 1) return usual.removeCopy(name, stamp);
    await on.retention.begin(name, stamp);
    rmSync(join(on.disk, stamp, 'manifest.json'));
    throw new Error('the worker is gone');
  };
  await runPush(on, on.activities(on.points, on.keys, { removeCopy }));
  expect(attempts).toBe(2);
  expect(await statesOf(on)).toMatchObject({ [first]: 'removed', [second]: 'removed', [third]: 'removed' });
  for (const stamp of [first, second, third]) expect(existsSync(join(on.disk, stamp))).toBe(false);
  on.remove();
});

test('B4 a removal that was begun, of which nothing went, is decided on again: a pin keeps it whole', async () => {
  const { on, stamps } = await world();
  const [first] = stamps;
  await on.purge(first);
  await on.retention.begin(on.target.name, first);
  await on.recoveryPoints.pin(first, 'the year of the move', 'tester');
  await runPush(on, on.activities());
  expect(await statesOf(on)).toMatchObject({ [first]: 'verified' });
  expect(isThere(on, first)).toBe(true);
  on.remove();
});

test('B4 what is pulled, restored or drilled stays while it is used', async () => {
  const { on, stamps } = await world();
  const [first] = stamps;
  await on.purge(first);
  const run = { workflow_id: 'pull/elsewhere', run_id: randomUUID() };
  await on.locks.acquire([{ resource: pointLock(first), mode: 'shared' }], run);
  await runPush(on, on.activities());
  expect(isThere(on, first)).toBe(true);
  await on.locks.releaseRun(run.run_id);
  await runPush(on, on.activities());
  expect(isThere(on, first)).toBe(false);
  on.remove();
});

test('B4 a listing that lacks a copy, and a clock that is suspect, let nothing go, and it is said', async () => {
  const { on, stamps } = await world();
  const [first, second] = stamps;
  await on.purge(first, second);
  rmSync(join(on.disk, second), { recursive: true });
  await runPush(on, on.activities());
  expect([await reasonOf(on), isThere(on, first)]).toEqual([
    expect.stringContaining(`suspect: not there any more: ${second}`),
    true,
  ]);
  expect(await statesOf(on)).toMatchObject({ [first]: 'verified', [second]: 'damaged' });
  on.clock.now = () => new Date(Date.now() + 60 * 86_400_000);
  await runPush(on, on.activities());
  expect([await reasonOf(on), isThere(on, first)]).toEqual([expect.stringContaining('60 days old'), true]);
  on.clock.now = () => new Date();
  await runPush(on, on.activities());
  expect([await reasonOf(on), isThere(on, first)]).toEqual([null, false]);
  on.remove();
});

test('B4 a target that denies it says why and is asked once a run; what is new is pushed all the same', async () => {
  const { on, stamps } = await world();
  await on.purge(stamps[0], stamps[1]);
  let asked = 0;
  const usual = on.openTarget;
  on.openTarget = async (place, signal) => ({
    ...(await usual(place, signal)),
    remove: async () => {
      asked += 1;
      throw new OffsiteTrouble('refused', 'AccessDenied: the object is locked');
    },
  });
  const fresh = await on.point(5);
  await runPush(on, on.activities());
  expect([asked, await reasonOf(on)]).toEqual([1, 'AccessDenied: the object is locked']);
  expect(await isBlocked(on)).toBe(true);
  expect(await statesOf(on)).toMatchObject({ [fresh]: 'verified', [stamps[0]]: 'verified' });
  expect(await on.offsite.find(on.target.name)).toMatchObject({ state: 'reachable' });
  expect(await on.events()).toContain('offsite.retention_denied');
  on.openTarget = usual;
  await runPush(on, on.activities());
  expect([await reasonOf(on), await isBlocked(on)]).toEqual([null, false]);
  expect(stamps.slice(0, 2).map((stamp) => isThere(on, stamp))).toEqual([false, false]);
  on.remove();
});

test('B4 the newest copy is read again before others go: when it is bad, they stay', async () => {
  const { on, stamps } = await world();
  const [first, second, , , newest] = stamps;
  await on.purge(first, second);
  await databases.ops`update offsite_copies set verified_at = now() - interval '2 days' where target = ${on.target.name}`;
  appendFileSync(join(on.disk, newest, 'members/postgres-holdfast_ops.dump.tar.zst'), 'more');
  await runPush(on, on.activities());
  expect(await reasonOf(on)).toContain(`the newest proven point there, ${newest}, is damaged`);
  expect(await statesOf(on)).toMatchObject({ [first]: 'verified', [second]: 'verified', [newest]: 'damaged' });
  // The one before it is the newest now, and is whole.
  await runPush(on, on.activities());
  expect(await statesOf(on)).toMatchObject({ [first]: 'removed', [second]: 'removed' });
  on.remove();
});

test('B4 what another box took, what has another manifest by now, and a target without retention lose nothing', async () => {
  const { on, stamps } = await world();
  const [first] = stamps;
  const foreign = await on.point(900, 'another');
  await runPush(on, on.activities());
  await on.purge(foreign, first);
  writeFileSync(join(on.disk, first, 'manifest.json'), '{}');
  await runPush(on, on.activities());
  expect(await statesOf(on)).toMatchObject({ [foreign]: 'verified', [first]: 'verified' });
  expect([isThere(on, foreign), isThere(on, first)]).toEqual([true, true]);
  expect(await reasonOf(on)).toContain('no manifest');

  await on.purge(stamps[1]);
  await on.offsite.put({ ...on.target, retention: 'none' });
  await runPush(on, on.activities());
  expect([isThere(on, stamps[1]), await reasonOf(on)]).toEqual([true, null]);
  on.remove();
});

test('B5 a host that is asleep is waited for, and loses what it should when it wakes', async () => {
  const { on, stamps } = await world();
  await on.purge(stamps[0]);
  const asleep = `${on.disk}-asleep`;
  renameSync(on.disk, asleep);
  await runPush(on, on.activities(), async (handle) => {
    await until(async () => (await on.offsite.find(on.target.name))?.state === 'away');
    expect(await on.locks.list()).toEqual([]);
    renameSync(asleep, on.disk);
    await handle.signal(pushNowSignal);
  });
  expect(isThere(on, stamps[0])).toBe(false);
  expect(await on.offsite.find(on.target.name)).toMatchObject({ state: 'reachable' });
  on.remove();
});
