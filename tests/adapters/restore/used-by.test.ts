import { randomUUID } from 'node:crypto';
import { createEventStore } from '../../../adapters/postgres/events.ts';
import { usedBy } from '../../../adapters/restore/operations-rows.ts';
import { freshDatabases, type TestDatabases } from '../../support/servers.ts';

let databases: TestDatabases;
beforeAll(async () => {
  databases = await freshDatabases();
});
afterAll(() => databases.drop());

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
