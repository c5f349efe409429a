import { mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readManifest, writeManifest } from '../../../adapters/backup/manifest-file.ts';
import { createPoints, type Points } from '../../../adapters/backup/points.ts';
import { openSigningKey, readTrustedKeys, type SigningKey } from '../../../adapters/backup/signing-key.ts';
import { syncCatalog } from '../../../adapters/backup/sync-catalog.ts';
import { createRecoveryPointStore, type RecoveryPointStore } from '../../../adapters/postgres/recovery-points.ts';
import { catalogDifference } from '../../../domain/backup/catalog.ts';
import type { Manifest } from '../../../domain/backup/manifest.ts';
import { draftOf, provedOf, sealMembers } from '../../support/recovery-point.ts';
import { removeTree } from '../../support/remove-tree.ts';
import { freshDatabases, type TestDatabases } from '../../support/servers.ts';

const stamps = ['20261120T010000Z-0001', '20261121T010000Z-0002', '20261122T010000Z-0003'] as const;
const [first, second, third] = stamps;
let databases: TestDatabases;
let home: string;
let key: SigningKey;
let points: Points;
let rows: RecoveryPointStore;

beforeAll(async () => {
  databases = await freshDatabases();
});
afterAll(() => databases.drop());
beforeEach(async () => {
  await databases.ops`delete from recovery_points`;
  home = await mkdtemp(join(tmpdir(), 'holdfast-catalog-'));
  key = await openSigningKey(join(home, 'keys'));
  points = createPoints(join(home, 'backups'));
  rows = createRecoveryPointStore(databases.ops);
  for (const stamp of stamps) {
    const folder = await points.begin(stamp);
    const draft = draftOf(stamp, await sealMembers(folder));
    const taken_at = `${stamp.slice(0, 4)}-11-${stamp.slice(6, 8)}T01:00:00.000Z`;
    await writeManifest(folder, provedOf({ ...draft, taken_at }), key);
    await points.publish(stamp);
  }
});
afterEach(() => removeTree(home));

async function sync() {
  const trusted = await readTrustedKeys(join(home, 'keys'));
  const manifest = (stamp: string) => readManifest(points.folderOf(stamp, 'kept'), trusted);
  return (await syncCatalog({ recoveryPoints: rows, points, maker: { manifest }, box: 'test' })).suspect;
}

const listed = async () => (await rows.list({ limit: 10 })).map(({ stamp }) => stamp);
const judged = (level: 'L0' | 'L1' | 'L2', ok: boolean) =>
  rows.judge(third, { level, ok, at: new Date('2026-11-23T00:00:00Z'), reason: 'looked', backup_id: 'x' });

describe('B4 the catalog', () => {
  it('B4 is made again from the manifests, pins and judgements aside', async () => {
    expect(await sync()).toBeNull();
    expect(await listed()).toEqual([third, second, first]);
    const found = await rows.find(second);
    expect(found?.manifest).toEqual(
      await readManifest(points.folderOf(second, 'kept'), await readTrustedKeys(join(home, 'keys'))),
    );
    expect(found).toMatchObject({ place: 'kept', standing: 'good', proved: { L2: '2026-11-22T01:02:00.000Z' } });
    expect(found?.stored_bytes).toBe(found?.manifest.members.reduce((sum, { stored }) => sum + stored.bytes, 0));

    await rows.pin(second, 'before the move', 'ada');
    await rows.pin(second, 'another reason', 'bob');
    await databases.ops`delete from recovery_points where stamp = ${third}`;
    expect(await sync()).toBeNull();
    expect(await listed()).toEqual([third, second, first]);
    expect(await rows.find(second)).toMatchObject({ pinned_by: 'ada', pin_reason: 'before the move' });
  });

  it('B4 says what is gone once, takes it back when it is there again, and believes no disk without any', async () => {
    await sync();
    await points.trash(second, new Date());
    expect(await sync()).toContain(second);
    expect((await rows.find(second))?.place).toBe('missing');
    expect(await sync()).toBeNull();
    await rename(points.folderOf(second, 'trash'), points.folderOf(second, 'kept'));
    expect(await sync()).toBeNull();
    expect((await rows.find(second))?.place).toBe('kept');

    await rm(join(home, 'backups'), { recursive: true });
    expect(await sync()).toContain('none of 3');
    expect(await listed()).toEqual([third, second, first]);
  });

  it('B4 a point that another box has too is still there when this one lets go of it', async () => {
    await sync();
    const found = await rows.find(second);
    await rows.record(found?.manifest as Manifest, 'another');
    for (const place of ['trash', 'purged', 'missing'] as const) await rows.moved(second, place, 'test');
    expect(await rows.find(second)).toMatchObject({ place: 'kept', box: 'another', purged_at: null });
    await rows.moved(second, 'trash', 'another');
    // This one has it after all.
    expect(await sync()).toBeNull();
    expect(await rows.find(second)).toMatchObject({ place: 'kept', box: 'test', trashed_at: null });
  });

  it('B4 takes in no point with a manifest that is not to be believed', async () => {
    await writeFile(join(points.folderOf(third, 'kept'), 'manifest.json'), '{}');
    await unlink(join(points.folderOf(first, 'kept'), 'manifest.json'));
    expect(await sync()).toBe(`the manifest of ${first}, ${third} is refused`);
    expect(await listed()).toEqual([second]);
  });

  it('B3 a point that fails a check is not counted until it passes that level again', async () => {
    await sync();
    expect((await rows.newestProven())?.stamp).toBe(third);
    await judged('L2', false);
    await judged('L0', false);
    expect((await rows.newestProven())?.stamp).toBe(second);
    // What was found in a restore is not mended by its bytes being as they were.
    await judged('L0', true);
    await judged('L1', true);
    expect(await rows.find(third)).toMatchObject({ standing: 'damaged', damage: { level: 'L2' } });
    await judged('L2', true);
    expect(await rows.find(third)).toMatchObject({
      standing: 'good',
      damage: null,
      proved: { L2: '2026-11-23T00:00:00.000Z' },
    });
    expect((await rows.newestProven())?.stamp).toBe(third);
  });

  it('B4 the disk and the rows are told apart by names alone', () => {
    const kept = [first, second].map((stamp) => ({ stamp, place: 'kept' as const }));
    const missing = { stamp: third, place: 'missing' as const };
    expect(catalogDifference([], [])).toEqual({ record: [], missing: [], suspect: null });
    expect(catalogDifference([second, third], [...kept, missing])).toEqual({
      ...{ record: [third], missing: [first] },
      suspect: `not there any more: ${first}`,
    });
    expect(catalogDifference([], kept)).toEqual({
      ...{ record: [], missing: [] },
      suspect: 'none of 2 recovery points is there: is the disk?',
    });
  });
});
