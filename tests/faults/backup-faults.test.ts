import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newAgeKey } from '../../adapters/backup/age-key.ts';
import { runCommand } from '../../adapters/process/run-command.ts';
import { retentionPolicySchema } from '../../domain/backup/retention.ts';
import { pointLock } from '../../domain/backup/run.ts';
import { timeOf } from '../../domain/backup/stamp.ts';
import { createBackupWorld, type BackupWorld } from '../support/backup-world.ts';
import { ownBox } from '../support/on-temporal.ts';

jest.setTimeout(600_000);

// Issue 7, proof 1: what happens around a point, each caught where it should be. Damage of its contents: backup-damage.test.ts.

const request = { include_vectors: true };
const held = { workflow_id: 'restore', run_id: 'a restore' };

let clock: () => Date = () => new Date();
let world: BackupWorld;
let good: string;
beforeAll(async () => {
  world = await createBackupWorld({ now: () => clock() });
  good = (await world.run('backup', request)).stamp;
}, 600_000);
afterAll(() => world.close());

const inHome = (...path: string[]): string => join(world.home, 'backups', ...path);
const validated = (stamp: string, level: string, of = world) => of.run('validatePoint', { level }, { stamp });

/** What the manifest's file says is changed for as long as it is looked at. */
async function withManifest(change: (text: string) => string): Promise<Awaited<ReturnType<typeof validated>>> {
  const path = inHome(good, 'manifest.json');
  const whole = readFileSync(path, 'utf8');
  writeFileSync(path, change(whole));
  try {
    return await validated(good, 'L2');
  } finally {
    writeFileSync(path, whole);
    expect(await validated(good, 'L1')).toMatchObject({ outcome: 'valid' });
  }
}

describe('the manifest', () => {
  test('B2 one that was edited, so that its members fit it, is refused at L1: nothing is opened', async () => {
    const result = await withManifest((text) => text.replace('"include_vectors":true', '"include_vectors":false'));
    expect(result).toMatchObject({ outcome: 'invalid', proved: ['L0'] });
    expect(result.failure_reason).toMatch(/its signature does not fit it/);
  });

  test('B2 a signature of which a bit is another one is refused at L1', async () => {
    const result = await withManifest((text) =>
      text.replace(/"value":"(.)/, (_, first: string) => `"value":"${first === 'A' ? 'B' : 'A'}`),
    );
    expect(result).toMatchObject({ outcome: 'invalid', proved: ['L0'] });
    expect(result.failure_reason).toMatch(/its signature does not fit it/);
  });

  test('B2 one that another key has signed, which this box does not trust, is refused at L1', async () => {
    const other = await createBackupWorld();
    try {
      const { stamp } = await other.run('backup', { include_vectors: false });
      const foreign = readFileSync(join(other.home, 'backups', stamp, 'manifest.json'), 'utf8');
      const { signature } = JSON.parse(foreign) as { signature: { key_id: string } };
      const result = await withManifest((text) =>
        text.replace(/"key_id":"[^"]+"/, `"key_id":${JSON.stringify(signature.key_id)}`),
      );
      expect(result).toMatchObject({ outcome: 'invalid', proved: ['L0'] });
      expect(result.failure_reason).toMatch(/a key that this box does not trust/);
    } finally {
      await other.close();
    }
  });
});

test('B2 B3 the wrong key of age opens nothing, and says nothing against the point', async () => {
  const [right, wrong] = [await newAgeKey(), await newAgeKey()];
  const keys = join(world.home, 'keys');
  mkdirSync(keys);
  const identitiesPath = join(keys, 'age.txt');
  writeFileSync(identitiesPath, `${wrong.identity}\n`, { mode: 0o600 });
  const sealed = await createBackupWorld({ recipients: [right.recipient], identitiesPath });
  try {
    const { stamp, outcome } = await sealed.run('backup', { include_vectors: false });
    expect(outcome).toBe('published');
    const result = await validated(stamp, 'L1', sealed);
    expect(result).toMatchObject({ outcome: 'failed', proved: ['L0'] });
    expect(result.failure_reason).toContain('KeyMissing');
    expect((await sealed.recoveryPoints.find(stamp))?.standing).toBe('good');
    writeFileSync(identitiesPath, `${right.identity}\n`, { mode: 0o600 });
    expect(await validated(stamp, 'L1', sealed)).toMatchObject({ outcome: 'valid', proved: ['L0', 'L1'] });
  } finally {
    await sealed.close();
  }
});

describe('a disk without room', () => {
  const mount = async (...argv: string[]): Promise<void> => {
    const { exit_code, stderr } = await runCommand(argv, { cwd: '/', env: { PATH: process.env['PATH'] ?? '' } });
    if (exit_code !== 0) throw new Error(stderr);
  };

  test('B1 is refused before anything is copied; where it fills up meanwhile, nothing stays and it is not tried again', async () => {
    const small = await createBackupWorld();
    const points = join(small.home, 'backups');
    mkdirSync(points, { recursive: true });
    await mount('mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', points);
    try {
      expect(await small.run('backup', request)).toMatchObject({
        ...{ outcome: 'refused', failure_reason: expect.stringContaining('NoRoom') as string },
      });
      // As if there had been room when it was asked.
      const checkRoom = async () => ({ ...(await small.activities.checkRoom(request)), ok: true });
      const copies: string[] = [];
      const copyPoint: BackupWorld['activities']['copyPoint'] = (...args) => {
        copies.push('copy');
        return small.activities.copyPoint(...args);
      };
      for (const filled of ['dump', 'member']) {
        await small.ground.sql.unsafe(filled === 'dump' ? fillsDump : 'drop table filling');
        // Bytes that do not get smaller.
        if (filled === 'member')
          writeFileSync(join(small.home, 'staged', 'ab', 'large'), Buffer.from(noise(2 * 1024 * 1024)));
        const result = await small.run('backup', request, { activities: { checkRoom, copyPoint } });
        expect(result).toMatchObject({ outcome: 'failed', failure_reason: expect.stringMatching(/^NoRoom/) as string });
        expect(existsSync(join(points, 'partial')) ? readdirSync(join(points, 'partial')) : []).toEqual([]);
        expect(await small.points.list()).toEqual([]);
      }
      expect(copies).toHaveLength(2);
      expect(await small.databases.ops`select 1 from pins union all select 1 from locks`).toHaveLength(0);
    } finally {
      await mount('umount', points);
      await small.close();
    }
  });
});

const fillsDump = `create table filling as select sha256(n::text::bytea) as b from generate_series(1, 60000) n`;

function noise(bytes: number): Uint8Array {
  let state = 88_172_645;
  return Uint8Array.from({ length: bytes }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  });
}

/** Keeps the newest of itself, and lets go of what is in the trash at once. */
const policy = retentionPolicySchema.parse({
  ...{ last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 1, trash_grace_ms: 0 },
});
const prune = (more: { readonly activities?: object } = {}) => world.run('prune', { dry_run: false, policy }, more);

test('B4 a clock that was set back: stamps stay in order, nothing is taken away, and the newest is still the newest', async () => {
  const before = await world.points.list();
  const lastYear = new Date(timeOf(good).getTime() - 365 * 86_400_000);
  clock = () => lastYear;
  try {
    const [one, two] = [(await world.run('backup', request)).stamp, (await world.run('backup', request)).stamp];
    expect(await world.points.list()).toEqual([...before, one, two]);
    expect((await world.recoveryPoints.newestProven())?.stamp).toBe(two);
    const refused = await prune();
    expect(refused).toMatchObject({ outcome: 'blocked', trashed: [], purged: [] });
    expect(refused.failure_reason).toMatch(/the clock is suspect/);
    expect(await world.points.list()).toEqual([...before, one, two]);
  } finally {
    clock = () => new Date();
  }
});

test('B1 two backups at once: each is a point of its own, proved, and neither takes away what the other makes', async () => {
  const runs = await Promise.all([world.run('backup', request), world.run('backup', request)]);
  expect(runs.map(({ outcome }) => outcome)).toEqual(['published', 'published']);
  const stamps = runs.map(({ stamp }) => stamp);
  expect(new Set(stamps).size).toBe(2);
  expect(await world.points.list()).toEqual(expect.arrayContaining(stamps));
  for (const stamp of stamps) expect(await validated(stamp, 'L1')).toMatchObject({ outcome: 'valid' });
  expect(await world.databases.ops`select 1 from pins union all select 1 from locks`).toHaveLength(0);
});

describe('a prune while a restore goes on', () => {
  test('B4 B6 the point that is restored stays, also when it began between the plan and the deed', async () => {
    const all = await world.points.list();
    const inUse = all[0] ?? '';
    const planPrune: BackupWorld['activities']['planPrune'] = async (asked) => {
      const plan = await world.activities.planPrune(asked);
      expect(plan.drop.map(({ stamp }) => stamp)).toContain(inUse);
      await world.locks.acquire([{ resource: pointLock(inUse), mode: 'shared' }], held);
      return plan;
    };
    const first = await prune({ activities: { planPrune } });
    expect(first.outcome).toBe('pruned');
    expect(first.trashed).toEqual(all.slice(1, -1).reverse());
    expect(await world.points.list()).toEqual([inUse, all.at(-1)]);
    // And one that is held already is not even planned.
    expect(await prune()).toMatchObject({ outcome: 'nothing_to_do' });
    expect(await validated(inUse, 'L2')).toMatchObject({ outcome: 'valid' });

    await world.locks.releaseRun(held.run_id);
    expect(await prune()).toMatchObject({ outcome: 'pruned', trashed: [inUse] });
  });

  test('B4 B6 what is in the trash is not purged from under a restore that uses it', async () => {
    const { stamp } = await world.run('backup', request);
    await world.points.trash(stamp, new Date(Date.now() - 86_400_000));
    await world.recoveryPoints.moved(stamp, 'trash', ownBox);
    await world.locks.acquire([{ resource: pointLock(stamp), mode: 'shared' }], held);
    expect(await prune()).toMatchObject({ outcome: 'nothing_to_do', purged: [] });
    expect(existsSync(inHome('trash', stamp, 'manifest.json'))).toBe(true);
    await world.locks.releaseRun(held.run_id);
    expect(await prune()).toMatchObject({ outcome: 'pruned', purged: [stamp] });
  });
});
