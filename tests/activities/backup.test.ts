import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newAgeKey } from '../../adapters/backup/age-key.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { createBackupWorld, type BackupWorld } from '../support/backup-world.ts';

jest.setTimeout(240_000);

let world: BackupWorld;
beforeAll(async () => (world = await createBackupWorld()), 120_000);
afterAll(() => world.close());

const request = { include_vectors: true };
const backups = (...path: string[]): string => join(world.home, 'backups', ...path);
const memberOf = (stamp: string, kind: RegExp): string => {
  const name = readdirSync(backups(stamp, 'members')).find((each) => kind.test(each));
  return backups(stamp, 'members', name ?? 'none');
};

async function expectNothingLeft(): Promise<void> {
  const { ops, data } = world.databases;
  expect(await ops`select 1 from pins`).toHaveLength(0);
  expect(await ops`select 1 from locks`).toHaveLength(0);
  const prefix = `${world.databases.database.slice(0, 16)}%scratch%`;
  expect(await data`select datname from pg_database where datname like ${prefix}`).toEqual([]);
  const { collections } = await world.qdrant.getCollections();
  const [row] = await ops`select stamp from backup_runs order by requested_at desc limit 1`;
  const scratch = `holdfast-scratch-${String(row?.['stamp']).toLowerCase().replace('-', '_')}`;
  expect(collections.filter(({ name }) => name.startsWith(scratch))).toEqual([]);
  expect(existsSync(backups('partial')) ? readdirSync(backups('partial')) : []).toEqual([]);
}

test('B1 B2 B3 a point of everything: proved up to L2, signed, in the catalog, and nothing else is left', async () => {
  const result = await world.run('backup', request);
  expect([result.outcome, result.failure_reason, result.degraded]).toEqual(['published', null, []]);
  expect(result).toMatchObject({ proved: ['L0', 'L1', 'L2'], members: 4 });
  const point = await world.recoveryPoints.newestProven();
  expect(point).toMatchObject({ stamp: result.stamp, place: 'kept', standing: 'good' });
  expect(point?.manifest.generations).toMatchObject([{ project: world.project, visible: 1 }]);
  expect(point?.manifest.file_sets).toMatchObject([{ name: 'staged', files: 1 }]);
  expect(await world.maker.manifest(result.stamp)).toEqual(point?.manifest);
  expect(readdirSync(backups(result.stamp)).sort()).toEqual(['manifest.json', 'members']);
  expect(world.told).toContain('published');
  const events = await world.databases.ops`select type from events where backup_id = ${result.id} order by id`;
  expect(events.map(({ type }) => type as string)).toEqual(['backup.started', 'backup.completed']);
  await expectNothingLeft();
});

test('B3 a member that is changed behind the manifest is found, the point is damaged, and good again once it is whole', async () => {
  const { stamp } = await world.run('backup', request);
  const path = memberOf(stamp, /^postgres-holdfast\./);
  const whole = readFileSync(path);
  const flipped = Buffer.from(whole);
  flipped[100] = (flipped[100] ?? 0) ^ 1;
  writeFileSync(path, flipped);
  const found = await world.run('validatePoint', { level: 'L2' }, { stamp });
  expect(found).toMatchObject({ outcome: 'invalid', proved: [] });
  expect(await world.recoveryPoints.find(stamp)).toMatchObject({ standing: 'damaged', damage: { level: 'L0' } });
  expect((await world.recoveryPoints.newestProven())?.stamp).not.toBe(stamp);

  writeFileSync(path, whole);
  expect(await world.run('validatePoint', { level: 'L1' }, { stamp })).toMatchObject({ outcome: 'valid' });
  expect(await world.recoveryPoints.find(stamp)).toMatchObject({ standing: 'good', damage: null });
});

test('B2 a manifest that was edited is not believed: its signature does not fit', async () => {
  const { stamp } = await world.run('backup', request);
  const path = backups(stamp, 'manifest.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"box":"', '"box":"x'));
  const found = await world.run('validatePoint', { level: 'L2' }, { stamp });
  expect(found).toMatchObject({ outcome: 'invalid', proved: ['L0'] });
  expect(found.failure_reason).toContain('manifest.signature');
});

test('B3 what is damaged before it is proved is never a point', async () => {
  const copyPoint: BackupWorld['activities']['copyPoint'] = async (...args) => {
    const copied = await world.activities.copyPoint(...args);
    const folder = world.points.folderOf(copied.stamp, 'partial');
    const [name = ''] = readdirSync(join(folder, 'members'));
    writeFileSync(join(folder, 'members', name), readFileSync(join(folder, 'members', name)).subarray(0, -1));
    return copied;
  };
  const before = await world.points.list();
  const result = await world.run('backup', request, { activities: { copyPoint } });
  expect(result).toMatchObject({
    outcome: 'failed',
    failure_reason: expect.stringContaining('PointUnproved') as string,
  });
  expect(await world.points.list()).toEqual(before);
  await expectNothingLeft();
});

test('G7 B1 an attempt that is lost in the middle begins again under another stamp, and leaves nothing', async () => {
  let lost: string | null = null;
  const copyPoint: BackupWorld['activities']['copyPoint'] = async (...args) => {
    const copied = await world.activities.copyPoint(...args);
    if (lost !== null) return copied;
    lost = copied.stamp;
    throw new Error('the worker is gone');
  };
  const result = await world.run('backup', request, { activities: { copyPoint } });
  expect(result).toMatchObject({ outcome: 'published' });
  expect(result.stamp).not.toBe(lost);
  await expectNothingLeft();
});

test('B1 a disk that is full while it copies: nothing is left, and it is said', async () => {
  const copyPoint = () => Promise.reject(new PermanentFailure('NoRoom', 'ENOSPC: no space left on device'));
  const result = await world.run('backup', request, { activities: { copyPoint } });
  expect(result).toMatchObject({ outcome: 'failed', failure_reason: expect.stringContaining('NoRoom') as string });
  await expectNothingLeft();
});

test('B2 encrypted to a key that this box has not: proved all the same, then readable with the key alone', async () => {
  const key = await newAgeKey();
  const sealed = await createBackupWorld({ recipients: [key.recipient] });
  try {
    const { outcome, stamp } = await sealed.run('backup', request);
    expect(outcome).toBe('published');
    const folder = join(sealed.home, 'backups', stamp);
    expect(readdirSync(join(folder, 'members')).every((name) => name.endsWith('.age'))).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['manifest.json', 'members']);
    expect((await sealed.maker.manifest(stamp)).encryption).toEqual({ kind: 'age', recipients: [key.recipient] });
    // Without the key its bytes can be looked at, and no more.
    const later = await sealed.run('validatePoint', { level: 'L1' }, { stamp });
    expect(later).toMatchObject({ outcome: 'failed', proved: ['L0'] });
    expect(later.failure_reason).toContain('KeyMissing');
    expect((await sealed.recoveryPoints.find(stamp))?.standing).toBe('good');
  } finally {
    await sealed.close();
  }
});
