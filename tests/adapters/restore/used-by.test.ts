import { randomUUID } from 'node:crypto';
import { createEventStore } from '../../../adapters/postgres/events.ts';
import { moveHouse, usedBy, whatStays } from '../../../adapters/restore/operations-rows.ts';
import { freshDatabases, type TestDatabases } from '../../support/servers.ts';

let databases: TestDatabases;
beforeAll(async () => {
  databases = await freshDatabases();
});
afterAll(() => databases.drop());

const [old, now] = [randomUUID(), randomUUID()];

test('B6 a machine that only remembers is none that has nothing: its tokens and what it forgot stay', async () => {
  const { ops } = databases;
  expect(await usedBy(ops)).toBeNull();
  // As on a new machine that brings its points from another place.
  const events = createEventStore(ops);
  await events.append({ type: 'offsite.verified', subject: 'offsite/nas', actor: 'holdfast', data: {} });
  expect(await usedBy(ops)).toBeNull();

  await ops`insert into memory_tombstones (memory, type, actor) values (${randomUUID()}, 'project', 'tester')`;
  expect(await usedBy(ops)).toBe('projects or memories were kept here');
  await ops`delete from memory_tombstones`;
  expect(await usedBy(ops)).toBeNull();
  await events.append({ type: 'memory.created', subject: 'memory', actor: 'tester', data: {} });
  expect(await usedBy(ops)).toBe('projects or memories were kept here');
});

test.each([
  ['of the same name', old],
  ['that it was taken over from', now],
])('B5 B6 a target that this machine was given wins over the one %s in the point: it is pushed to', async (_, id) => {
  const { ops } = databases;
  const target = { actor: 'tester', spec: ops.json({ kind: 'directory', path: '/mnt/nas' }) };
  await ops`delete from offsite_targets`;
  await ops`insert into offsite_targets ${ops({ ...target, name: 'nas', id: now, box: 'new-box' })}`;
  const kept = await whatStays(ops);
  await ops`update offsite_targets set id = ${id}, box = 'old-box', enabled = false`;
  await ops`insert into offsite_targets ${ops({ ...target, name: 'attic', id: old, box: 'old-box' })}`;
  await moveHouse(ops, { stamp: '20261122T020000Z-0001', boxes: ['old-box', 'new-box'], kept });
  expect(await ops`select name, id, box, enabled from offsite_targets order by name`).toEqual([
    { name: 'attic', id: old, box: 'old-box', enabled: true },
    { name: 'nas', id: now, box: 'new-box', enabled: true },
  ]);
});
