import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createScheduleStore } from '../../adapters/postgres/schedules.ts';
import { createTokenStore } from '../../adapters/postgres/tokens.ts';
import { retentionPolicySchema } from '../../domain/backup/retention.ts';
import type { TargetView } from '../../domain/offsite/schemas.ts';
import { createOffsiteParts } from '../../workers/offsite-parts.ts';
import { answerOf, type Cli } from '../cli/run-cli.ts';
import { against, quiet } from '../support/backup-ground.ts';
import { startBackupApi } from '../support/backup-api.ts';
import type { BackupWorld } from '../support/backup-world.ts';
import type { BenchApi } from '../support/bench-api.ts';
import { canMount, createSmallDisk } from '../support/own-home.ts';

jest.setTimeout(180_000);

let world: BackupWorld;
let api: BenchApi;
let cli: Cli;
let asAdmin: { env: { HOLDFAST_TOKEN: string } };
let stop: () => Promise<void>;
let disk: string;

beforeAll(async () => {
  ({ world, api, cli, stop } = await startBackupApi(({ activities, databases, points, targets, home }, client) => {
    const offsite = createOffsiteParts({
      ...{ ops: databases.ops, client, points, targets, home, box: 'bench', env: process.env },
    });
    return { ...activities, ...offsite.main, ...offsite.box, wakeTargets: () => offsite.wakeAll() };
  }));
  disk = join(world.home, 'disk');
  mkdirSync(disk);
  const { token } = await createTokenStore(world.databases.ops).create({ actor: 'admin', role: 'admin' });
  asAdmin = { env: { HOLDFAST_TOKEN: token } };
}, 120_000);
afterAll(() => stop());

async function put(name: string, path: string, ...more: string[]) {
  const file = join(world.home, `${name}.json`);
  writeFileSync(file, JSON.stringify({ kind: 'directory', path }));
  return cli.run(['offsite', 'put', name, '--file', file, ...more, '--json'], asAdmin);
}

const show = async (name: string) => (await api.ask('GET', `/v1/offsite/${name}`)).body as TargetView;

async function until(name: string, holds: (target: TargetView) => boolean): Promise<TargetView> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const target = await show(name);
    if (holds(target)) return target;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`It never came to that: ${JSON.stringify(await show(name))}`);
}

const hasAll = ({ state: of, lag, copies }: TargetView) =>
  of === 'reachable' && lag.waiting === 0 && copies.every(({ state }) => state === 'verified' || state === 'removed');

test('B5 O1 O3 a target is named by an admin and looked at first; it gets every point by itself, and its lag is shown', async () => {
  const stamp = await world.publishedPoint();
  const refused = await cli.run(['offsite', 'put', 'nas', '--file', '-'], { input: '{}' });
  expect(refused.exitCode).toBe(4);
  const away = await put('nas', join(world.home, 'not-mounted'));
  expect([away.exitCode, away.stderr]).toEqual([1, expect.stringContaining('is the disk mounted?') as string]);
  expect((await api.ask('GET', '/v1/offsite/nas')).status).toBe(404);

  const named = await put('nas', disk);
  expect([named.exitCode, answerOf(named)]).toEqual([0, expect.objectContaining({ name: 'nas', enabled: true })]);
  const target = await until('nas', hasAll);
  expect(target).toMatchObject({ state: 'reachable', lag: { lag_seconds: 0, newest_verified: stamp } });
  const made = await cli.run(['backup', 'create', '--no-vectors', '--wait']);
  expect(made.exitCode).toBe(0);
  expect(
    (await until('nas', ({ copies }) => copies.length === 2 && hasAll({ ...target, copies }))).copies,
  ).toHaveLength(2);

  const list = await cli.run(['offsite', 'list']);
  expect(list.stdout).toMatch(/^target .*\nnas +directory +reachable +\S+ +0 +-\n$/);
  expect((await cli.run(['offsite', 'show', 'nas'])).stdout).toContain(`✓ ${stamp}  verified`);
});

test('B5 O3 with nothing of it on this box, a point is pulled back whole and can be restored from', async () => {
  const { newest_verified: stamp } = (await show('nas')).lag;
  if (stamp === null) throw new Error('Nothing is there');
  rmSync(world.points.folderOf(stamp, 'kept'), { recursive: true });
  const pulled = await cli.run(['backup', 'pull', 'nas', '--wait']);
  expect([pulled.exitCode, pulled.stdout]).toEqual([0, `pull ${stamp}: pulled\n`]);
  for (const level of ['L0', 'L1'] as const)
    expect(against(await world.maker.prove(stamp, 'kept', level, { ...quiet, attempt: 1 }))).toEqual([]);
  const unknown = await cli.run(['backup', 'pull', 'nas', '20200101T000000Z-0000', '--wait']);
  expect([unknown.exitCode, unknown.stdout]).toEqual([1, 'pull 20200101T000000Z-0000: failed\n']);
});

(canMount ? test : test.failing)(
  'B5 O3 a full disk at the target: nothing counts, it says so, and with room a push brings it over',
  async () => {
    const path = join('/tmp', `holdfast-disk-${randomUUID()}`);
    const small = createSmallDisk(path, '16k');
    try {
      expect((await put('small', path)).exitCode).toBe(0);
      const full = await until('small', ({ state }) => state === 'full');
      expect(full).toMatchObject({
        reason: expect.stringContaining('no room') as string,
        lag: { newest_verified: null },
      });
      expect(full.copies.filter(({ state }) => state === 'verified')).toEqual([]);
      expect(full.lag.lag_seconds).toBeGreaterThan(0);
      small.change('size=64m');
      const pushed = await cli.run(['backup', 'push', 'small']);
      expect([pushed.exitCode, pushed.stderr]).toEqual([0, expect.stringContaining('offsite show small') as string]);
      expect(await until('small', hasAll)).toMatchObject({ state: 'reachable' });
      expect((await cli.run(['offsite', 'remove', 'small'], asAdmin)).exitCode).toBe(0);
    } finally {
      small.remove();
      rmSync(path, { recursive: true, force: true });
    }
  },
);

test('B4 B5 O1 O3 a prune shows what goes at targets, and what it purges goes there too; an admin can turn it off', async () => {
  const spans = { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
  const policy = retentionPolicySchema.parse({ ...spans, minimum: 1, trash_grace_ms: 0 });
  const usual = { name: 'retention' as const, box: 'bench', timing: { cron: '45 3 * * *' }, enabled: true };
  await createScheduleStore(world.databases.ops).put({ ...usual, request: { dry_run: false, policy } }, 'tester');
  const newest = await world.publishedPoint();
  const pushed = await cli.run(['backup', 'push', 'nas', '--wait']);
  expect([pushed.exitCode, pushed.stdout]).toEqual([0, 'nas has all\n']);
  expect(pushed.stderr).toContain(`✓ ${newest}: verified`);
  const { copies } = await until(
    'nas',
    ({ lag, ...target }) => lag.newest_verified === newest && hasAll({ lag, ...target }),
  );
  const old = copies.map(({ stamp }) => stamp).filter((stamp) => stamp !== newest);

  const off = await put('nas', disk, '--retention', 'none');
  expect(answerOf(off)).toMatchObject({ retention: 'none', retention_reason: null });
  // It is not turned on again by leaving the word out.
  expect(answerOf(await put('nas', disk))).toMatchObject({ retention: 'none' });
  expect((await cli.run(['backup', 'prune', '--dry-run', '--wait'])).stdout).not.toContain('at nas');
  await put('nas', disk, '--retention', 'same');
  const dry = await cli.run(['backup', 'prune', '--dry-run', '--wait']);
  expect(dry.stdout).toContain(`  at nas: ${copies.length} kept, nothing to go\n`);

  expect((await cli.run(['backup', 'prune', '--wait'])).exitCode).toBe(0);
  await until('nas', (target) => target.copies.filter(({ state }) => state === 'removed').length === old.length);
  for (const stamp of old) expect(readdirSync(disk)).not.toContain(stamp);
  expect(readdirSync(disk)).toContain(newest);
  expect((await cli.run(['offsite', 'show', 'nas'])).stdout).toMatch(/\n {2}retention same\n/);
});

test('B5 O1 O3 removed: nothing is pushed there any more and what lies there stays; another box takes it over only when it says so', async () => {
  const { id, copies } = await show('nas');
  expect((await cli.run(['offsite', 'remove', 'nas'])).exitCode).toBe(4);
  expect((await cli.run(['offsite', 'remove', 'nas'], asAdmin)).exitCode).toBe(0);
  expect((await cli.run(['backup', 'push', 'nas'])).exitCode).toBe(5);
  for (const { stamp, state } of copies) if (state === 'verified') expect(readdirSync(disk)).toContain(stamp);

  const taken = await put('other', disk);
  expect([taken.exitCode, taken.stderr]).toEqual([6, expect.stringContaining('already') as string]);
  const adopted = await put('other', disk, '--adopt');
  expect([adopted.exitCode, answerOf(adopted)]).toEqual([0, expect.objectContaining({ name: 'other', id })]);
  await until('other', hasAll);
});
