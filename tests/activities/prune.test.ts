import { existsSync, readdirSync, renameSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { retentionPolicySchema } from '../../domain/backup/retention.ts';
import { pointLock } from '../../domain/backup/run.ts';
import { stampAfter } from '../../domain/backup/stamp.ts';
import { createBackupWorld, type BackupWorld } from '../support/backup-world.ts';

jest.setTimeout(240_000);

let world: BackupWorld;
let stamps: string[];
const stampOf = async (): Promise<string> => (await world.run('backup', { include_vectors: false })).stamp;
beforeAll(async () => {
  world = await createBackupWorld();
  stamps = [];
  for (let made = 0; made < 4; made += 1) stamps.push(await stampOf());
}, 240_000);
afterAll(() => world.close());

/** Keeps one point of itself, and lets go of what is in the trash at once. */
const policy = retentionPolicySchema.parse({
  ...{ last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 1, trash_grace_ms: 0 },
});
const prune = (more: object = {}) => world.run('prune', { dry_run: false, policy, ...more });
const placeOf = async (stamp: string) => (await world.recoveryPoints.find(stamp))?.place;

test('B4 a dry run says what would go, and why the others stay', async () => {
  await world.recoveryPoints.pin(stamps[0] ?? '', 'before the migration', 'tester');
  const held = { workflow_id: 'restore', run_id: 'a restore' };
  await world.locks.acquire([{ resource: pointLock(stamps[1] ?? ''), mode: 'shared' }], held);
  const { outcome, plan } = await prune({ dry_run: true });
  expect(outcome).toBe('planned');
  expect(plan?.drop.map(({ stamp }) => stamp)).toEqual([stamps[2]]);
  expect(await world.points.list()).toEqual(stamps);
});

test('B4 what no rule keeps goes; a pinned point, one in use and the newest proven one stay', async () => {
  expect(await prune()).toMatchObject({ outcome: 'pruned', trashed: [stamps[2]], purged: [stamps[2]] });
  expect(await placeOf(stamps[2] ?? '')).toBe('purged');
  expect(await world.points.list()).toEqual([stamps[0], stamps[1], stamps[3]]);
  expect(existsSync(join(world.home, 'backups', 'trash', stamps[2] ?? ''))).toBe(false);
  await world.locks.releaseRun('a restore');
  await world.recoveryPoints.unpin(stamps[0] ?? '');
});

test("B4 another box's points are that box's: what is not on this one is neither read here nor called damaged", async () => {
  const { ops } = world.databases;
  const foreign = stampAfter(stamps[3] ?? '', new Date(), '0b0b');
  await ops`
    insert into recovery_points (stamp, box, taken_at, manifest, stored_bytes, proved)
    select ${foreign}, 'another', now(), manifest, stored_bytes, proved from recovery_points where stamp = ${stamps[3] ?? ''}`;
  expect((await world.recoveryPoints.newestProven())?.stamp).toBe(foreign);
  expect((await prune({ dry_run: true })).plan?.drop.map(({ stamp }) => stamp)).toEqual([stamps[1], stamps[0]]);
  expect(await world.recoveryPoints.find(foreign)).toMatchObject({ place: 'kept', standing: 'good' });
  await ops`delete from recovery_points where stamp = ${foreign}`;
});

test('B4 the newest proven point is read again before others go: when it is bad, the one before it is the newest', async () => {
  const last = stamps[3] ?? '';
  await world.damage(last);
  expect(await prune()).toMatchObject({ outcome: 'pruned', trashed: [stamps[0]] });
  expect(await world.recoveryPoints.find(last)).toMatchObject({ standing: 'damaged', damage: { level: 'L0' } });
  expect(await placeOf(stamps[1] ?? '')).toBe('kept');
});

test('B4 the catalog is made again from the manifests; a manifest that is refused blocks it', async () => {
  await world.databases.ops`delete from recovery_points`;
  const found = await prune({ dry_run: true });
  expect(found.plan?.blocked).toBeNull();
  expect(await placeOf(stamps[1] ?? '')).toBe('kept');

  const manifest = join(world.home, 'backups', stamps[1] ?? '', 'manifest.json');
  const whole = readFileSync(manifest);
  await world.databases.ops`delete from recovery_points where stamp = ${stamps[1] ?? ''}`;
  writeFileSync(manifest, whole.subarray(0, -10));
  expect(await prune()).toMatchObject({ outcome: 'blocked', trashed: [], purged: [] });
  writeFileSync(manifest, whole);
});

test('B4 a folder that is gone is a listing that is suspect: nothing goes with it', async () => {
  await prune({ dry_run: true });
  const [from, to] = [join(world.home, 'backups'), join(world.home, 'elsewhere')];
  renameSync(from, to);
  expect(await prune()).toMatchObject({ outcome: 'blocked', trashed: [] });
  rmSync(from, { recursive: true, force: true });
  renameSync(to, from);
  expect((await prune({ dry_run: true })).plan?.blocked).toBeNull();
  expect(readdirSync(from)).toContain(stamps[1]);
});
