import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../../adapters/postgres/connect.ts';
import { sideOf, takeAfter } from '../../../adapters/restore/database-sides.ts';
import { swapDatabases } from '../../../adapters/restore/swap-database.ts';
import { twoSides, type TwoSides } from './two-sides.ts';

let sides: TwoSides;
beforeEach(async () => {
  sides = await twoSides();
});
afterEach(() => sides.close());

test('B6 the restored database is live, the old one is kept where nobody is let in, and back again', async () => {
  const { admin, names, there, back, content } = sides;
  expect(await swapDatabases(admin, there)).toEqual({ swapped: true });
  expect([await content(names.live), await content(names.outgoing), await content(names.incoming)]).toEqual([
    ...['new', null, null],
  ]);
  expect((await sideOf(admin, names.outgoing))?.allows_connections).toBe(false);
  expect(await swapDatabases(admin, back)).toEqual({ swapped: true });
  expect([await content(names.live), await sideOf(admin, names.outgoing)]).toEqual(['old', null]);
  expect((await sideOf(admin, names.incoming))?.allows_connections).toBe(false);
});

test('B6 a swap that is repeated, also behind one that was not heard of, does nothing', async () => {
  const { admin, names, there, content } = sides;
  await swapDatabases(admin, there);
  expect(await swapDatabases(admin, there)).toEqual({ swapped: false });
  expect(await content(names.live)).toBe('new');
});

test('B6 sessions that are open, and pools that come back at once, hold the swap up for no second', async () => {
  const { admin, names, there, url, content } = sides;
  const pool = connect(url(names.live), { name: 'holdfast-test-pool', max: 4 });
  const over = new AbortController();
  const seen = new Set<string>();
  const readers = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) {
      const rows = await pool<{ content: string }[]>`select content from side`.catch(() => []);
      if (rows[0] !== undefined) seen.add(rows[0].content);
      else await sleep(2);
    }
  });
  const idle = connect(url(names.live), { name: 'holdfast-test-idle', max: 1 });
  await idle`select 1`;
  await sleep(50);
  expect(await swapDatabases(admin, there)).toEqual({ swapped: true });
  await sleep(700);
  over.abort();
  await Promise.all(readers);
  await Promise.all([pool.end({ timeout: 1 }), idle.end({ timeout: 1 })]);
  expect([...seen]).toEqual(['old', 'new']);
  expect(await content(names.live)).toBe('new');
});

test('B6 what stands in the way of a swap is said, and nothing is changed', async () => {
  const { admin, names, there, content } = sides;
  await expect(swapDatabases(admin, { ...there, incoming_oid: 1 })).rejects.toMatchObject({ type: 'SwapRefused' });
  await expect(swapDatabases(admin, { ...there, incoming: 't_nobody' })).rejects.toMatchObject({ type: 'SwapRefused' });
  await expect(swapDatabases(admin, { ...there, outgoing: names.incoming })).rejects.toMatchObject({
    type: 'SwapRefused',
  });
  expect([await content(names.live), await content(names.incoming)]).toEqual(['old', 'new']);
});

test('B6 a session that may not be ended refuses the swap: both sides stay as they are, and open', async () => {
  const { admin, names, there, url, content } = sides;
  const role = `${names.live}_r`;
  await admin`create role ${admin(role)} login createdb password 'swap'`;
  const asRole = new URL(url('postgres'));
  Object.assign(asRole, { username: role, password: 'swap' });
  const owner = connect(asRole.toString(), { name: 'holdfast-test-owner', max: 3 });
  const superuser = connect(url(names.live), { name: 'holdfast-test-superuser', max: 1 });
  try {
    for (const name of [names.live, names.incoming]) await admin`alter database ${admin(name)} owner to ${admin(role)}`;
    await superuser`select 1`;
    await expect(swapDatabases(owner, there)).rejects.toThrow(/being accessed by other users/);
    expect([await content(names.live), await content(names.incoming)]).toEqual(['old', 'new']);
    await superuser.end();
    expect(await swapDatabases(owner, there)).toEqual({ swapped: true });
  } finally {
    await Promise.all([owner.end(), superuser.end()]);
    await admin`reassign owned by ${admin(role)} to current_user`;
    await admin`drop role ${admin(role)}`;
  }
});

test('B6 owner, settings, limit and rights of the live database hold for the restored one', async () => {
  const { admin, names } = sides;
  const role = `${names.live}_r`;
  await admin`create role ${admin(role)} login`;
  try {
    await admin`alter database ${admin(names.live)} owner to ${admin(role)}`;
    await admin.unsafe(`alter database ${names.live} set statement_timeout to '5s'`);
    await admin.unsafe(`alter database ${names.live} set search_path to a, public`);
    await admin.unsafe(`alter role ${role} in database ${names.live} set work_mem to '8MB'`);
    await admin.unsafe(`alter database ${names.live} with connection limit 17`);
    await admin.unsafe(`revoke connect on database ${names.live} from public`);
    await admin.unsafe(`grant connect on database ${names.live} to ${role}`);
    await takeAfter(admin, names);
    const facts = (name: string) => admin`
      select pg_get_userbyid(datdba) as owner, datconnlimit,
        (select array_agg(a::text order by a::text) from unnest(datacl) a) as rights,
        (select array_agg(setrole::text || ':' || array_to_string(setconfig, ';') order by setrole)
         from pg_db_role_setting where setdatabase = d.oid) as settings
      from pg_database d where datname = ${name}`;
    expect([...(await facts(names.incoming))]).toEqual([...(await facts(names.live))]);
  } finally {
    await admin`drop database ${admin(names.live)}`;
    await admin`drop database ${admin(names.incoming)}`;
    await admin`drop role ${admin(role)}`;
  }
});
