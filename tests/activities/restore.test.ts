import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTokenStore } from '../../adapters/postgres/tokens.ts';
import { canMount, createSmallDisk } from '../support/own-home.ts';
import { createRestoreWorld, type RestoreWorld } from '../support/restore-world.ts';

jest.setTimeout(300_000);

let world: RestoreWorld;
beforeAll(async () => {
  world = await createRestoreWorld();
}, 120_000);
afterAll(() => world.close());

const staged = (...path: string[]) => join(world.home, 'staged', ...path);

async function databasesThere(): Promise<string[]> {
  const { ops, database } = world.databases;
  const rows = await ops<{ datname: string }[]>`
    select datname from pg_database where datname like ${`${database}%`} order by datname`;
  return rows.map(({ datname }) => datname);
}

test('B6 a point is restored, held, undone, restored again and let go; what is not data does not travel back', async () => {
  const stamp = await world.point();
  const at = await world.paths();
  // After the point: another wave, another file, and a token that is taken away.
  await world.change();
  const after = await world.paths();
  mkdirSync(staged('cd'));
  writeFileSync(staged('cd', 'since'), 'staged since the point');
  const { row: token } = await createTokenStore(world.databases.ops).create({ actor: 'agent', role: 'agent' });
  await world.databases.ops`update tokens set revoked_at = now() where id = ${token.id}`;

  const undone = await world.restore(stamp, {}, async (say, restoreId) => {
    await world.until(restoreId, 'held');
    const safety = await world.recoveryPoints.find((await world.restores.find(restoreId))?.result.safety_stamp ?? '');
    expect(safety).toMatchObject({ pin_reason: `safety point of restore ${restoreId}` });
    expect(await world.paths()).toEqual(at);
    expect(readdirSync(staged()).filter((name) => !name.startsWith('.'))).toEqual(['ab']);
    expect(await world.databases.ops`select 1 from locks where resource like 'data%'`).toHaveLength(0);
    await say('undo');
  });
  expect(undone).toMatchObject({ outcome: 'undone', live: 'old', failure_reason: null });
  expect(await world.paths()).toEqual(after);
  expect(readFileSync(staged('cd', 'since'), 'utf8')).toBe('staged since the point');
  expect(await databasesThere()).toHaveLength(2);

  const released = await world.restore(stamp, { hold_ms: 0 });
  expect(released).toMatchObject({ outcome: 'released', live: 'restored', degraded: [] });
  expect(await world.paths()).toEqual(at);
  expect(readdirSync(staged())).toEqual(['ab']);
  expect(await databasesThere()).toHaveLength(2);
  expect(
    await world.databases.ops`select 1 from tokens where id = ${token.id} and revoked_at is not null`,
  ).toHaveLength(1);
  // The safety point holds what was live before; retention decides on it now.
  const safety = await world.recoveryPoints.find(released.safety_stamp ?? '');
  expect(safety).toMatchObject({ place: 'kept', pin_reason: null });
  const stored = await world.restores.find(released.id);
  expect(stored?.evidence.filter(({ ok }) => !ok)).toEqual([]);
  process.stdout.write(`timings: ${JSON.stringify(released.timings_ms)}\n`);

  // And forward again, from the safety point.
  expect(await world.restore(safety?.stamp ?? '', { hold_ms: 0, pre_snapshot: false })).toMatchObject({
    outcome: 'released',
  });
  expect(await world.paths()).toEqual(after);
});

test('B3 B6 what is not a good point is refused, and nothing is touched', async () => {
  expect(await world.restore('20200101T000000Z-0000')).toMatchObject({
    outcome: 'refused',
    failure_reason: expect.stringContaining('no such recovery point') as string,
  });
  const stamp = await world.point();
  const before = await world.paths();
  const manifest = join(world.home, 'backups', stamp, 'manifest.json');
  const text = readFileSync(manifest, 'utf8');
  writeFileSync(manifest, text.replace('"include_vectors":true', '"include_vectors":false'));
  expect(await world.restore(stamp)).toMatchObject({ outcome: 'refused', live: 'old' });
  writeFileSync(manifest, text);
  const members = join(world.home, 'backups', stamp, 'members');
  const name = readdirSync(members).find((each) => each.startsWith('qdrant-')) ?? '';
  rmSync(join(members, name));
  const missing = await world.restore(stamp);
  expect(missing).toMatchObject({ outcome: 'refused' });
  expect(missing.failure_reason).toContain(name);
  expect(await world.paths()).toEqual(before);
  expect(await databasesThere()).toHaveLength(2);
});

(canMount ? test : test.skip)(
  'B6 a disk that is full: refused where that can be known, given up in the middle; live data stay',
  async () => {
    rmSync(staged(), { recursive: true });
    const disk = createSmallDisk(staged(), '2m');
    try {
      mkdirSync(staged('ab'));
      writeFileSync(staged('ab', 'large'), randomBytes(1_200_000));
      const stamp = await world.point();
      const before = await world.paths();
      const refused = await world.restore(stamp, { pre_snapshot: false });
      expect(refused).toMatchObject({ outcome: 'refused', live: 'old' });
      expect(refused.failure_reason).toContain(`are needed at ${staged()}`);

      disk.change('size=4m');
      const fills = {
        // After all that was looked at.
        restoreDatabase: async (...args: Parameters<typeof world.activities.restoreDatabase>) => {
          const done = await world.activities.restoreDatabase(...args);
          writeFileSync(staged('ab', 'somebody else'), randomBytes(2_000_000));
          return done;
        },
      };
      const failed = await world.restore(stamp, { pre_snapshot: false }, undefined, fills);
      expect(failed).toMatchObject({ outcome: 'failed', live: 'old' });
      expect(failed.failure_reason).toContain('ENOSPC');
      expect(await world.paths()).toEqual(before);
      expect(readdirSync(staged())).toEqual(['ab']);
      expect(readdirSync(staged('ab')).sort()).toEqual(['large', 'somebody else']);
      expect(await databasesThere()).toHaveLength(2);
    } finally {
      disk.remove();
    }
  },
);
