import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tidyPartials, tidyRuns } from '../../activities/tidy-points.ts';
import { createPoints } from '../../adapters/backup/points.ts';
import { createBackupRunStore, type BackupRunStore } from '../../adapters/postgres/backup-runs.ts';
import { createLockStore, type LockStore } from '../../adapters/postgres/locks.ts';
import { pointLock } from '../../domain/backup/run.ts';
import { emptyBackupResult, type BackupResult } from '../../domain/backup/schemas.ts';
import { createFolder } from '../support/own-home.ts';
import { freshDatabases, type TestDatabases } from '../support/servers.ts';

let databases: TestDatabases;
let backupRuns: BackupRunStore;
let locks: LockStore;
const folder = createFolder();
beforeAll(async () => {
  databases = await freshDatabases();
  [backupRuns, locks] = [createBackupRunStore(databases.ops), createLockStore(databases.ops)];
});
beforeEach(() => databases.ops`delete from backup_runs`);
afterAll(async () => {
  await databases.drop();
  folder.remove();
});

const tidier = { run: { workflow_id: 'backup', run_id: 'mine' }, signal: new AbortController().signal };
const [one, two, three, four, five] = ['1', '2', '3', '4', '5'].map((day) => `2026112${day}T010000Z-abcd`) as [
  ...[string, string, string, string, string],
];
const closed = new Set<string>();
const isClosed = async ({ run_id }: { run_id: string }) => closed.has(run_id);

async function run(kind: 'create' | 'validate', stamp: string, outcome?: BackupResult['outcome']): Promise<string> {
  const id = randomUUID();
  const input = { backup_id: id, box: 'here', actor: 'tester', trigger: 'operator' as const, request: {} };
  await backupRuns.open(kind, stamp, input, { workflow_id: kind, run_id: `run of ${id}` });
  const result = { ...emptyBackupResult(), outcome: outcome ?? null };
  const phase = outcome === undefined ? 'prove' : 'closed';
  await backupRuns.record({ backup_id: id, phase, stamp: null, result, evidence: [] });
  return id;
}

async function tidied(own = ''): Promise<string[]> {
  const calls: string[] = [];
  const call = (what: string) => async (stamp: string) => void calls.push(`${what} ${stamp}`);
  const maker = { discard: call('all of'), dropScratch: call('scratch of') };
  await tidyRuns({ backupRuns, locks, maker, isClosed, box: 'here' }, { ...tidier, own });
  return calls.sort();
}

test('B1 B3 what runs have left that failed or were terminated is taken away, and not that of runs that go on', async () => {
  const terminated = await run('validate', one);
  closed.add(`run of ${terminated}`);
  await run('create', two, 'failed');
  await run('create', three, 'published');
  await run('validate', three, 'invalid');
  await run('validate', four);
  const own = await run('create', five, 'failed');
  expect(await tidied(own)).toEqual([`all of ${two}`, `scratch of ${one}`]);
});

test('B3 a point that somebody looks at now is left to them, but for one whose run is over', async () => {
  await run('validate', one, 'failed');
  await locks.acquire([{ resource: pointLock(one), mode: 'shared' }], { workflow_id: 'validate', run_id: 'another' });
  expect(await tidied()).toEqual([]);
  closed.add('another');
  expect(await tidied()).toEqual([`scratch of ${one}`]);
  expect(await locks.list()).toEqual([]);
});

test('B1 a run that was tidied a day after its end is not looked at again', async () => {
  const id = await run('create', one, 'failed');
  expect(await tidied()).toEqual([`all of ${one}`]);
  expect(await tidied()).toEqual([`all of ${one}`]);
  await databases.ops`update backup_runs set closed_at = now() - interval '25 hours' where id = ${id}`;
  expect(await tidied()).toEqual([]);
  await databases.ops`update backup_runs set tidied_at = null where id = ${id}`;
  expect([await tidied(), await tidied()]).toEqual([[`all of ${one}`], []]);
});

test('B5 the folder of a pull that was given up goes after a week; not one that is used, or that a pull would go on with', async () => {
  const points = createPoints(folder.path);
  const now = new Date('2026-11-30T00:00:00Z');
  const partial = (stamp: string, written: string): void => {
    const members = join(points.folderOf(stamp, 'partial'), 'members');
    mkdirSync(members, { recursive: true });
    writeFileSync(join(members, 'a'), 'a');
    const long = new Date('2026-11-01T00:00:00Z');
    utimesSync(join(members, 'a'), now, new Date(written));
    for (const each of [members, points.folderOf(stamp, 'partial')]) utimesSync(each, long, long);
  };
  partial(one, '2026-11-22T00:00:00Z');
  partial(two, '2026-11-22T00:00:00Z');
  partial(three, '2026-11-22T00:00:00Z');
  partial(four, '2026-11-24T00:00:00Z');
  await locks.acquire([{ resource: pointLock(two), mode: 'shared' }], { workflow_id: 'pull/nas', run_id: 'pulls' });
  await tidyPartials({ points, locks, isClosed, now: () => now }, { ...tidier, own: three });
  expect(readdirSync(join(folder.path, 'partial')).sort()).toEqual([two, three, four]);
  expect((await locks.list()).map(({ run_id }) => run_id)).toEqual(['pulls']);
});
