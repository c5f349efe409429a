import { createLockStore } from '../../../adapters/postgres/locks.ts';
import { turnFor } from '../../../domain/lock.ts';
import { freshDatabases, type TestDatabases } from '../../support/servers.ts';

let databases: TestDatabases;
beforeAll(async () => {
  databases = await freshDatabases();
});
afterAll(() => databases.drop());

const run = (run_id: string) => ({ workflow_id: `w/${run_id}`, run_id });
const shared = [{ resource: 'data', mode: 'shared' }] as const;
const exclusive = [{ resource: 'data', mode: 'exclusive' }] as const;
const turn = [{ resource: turnFor('data'), mode: 'exclusive' }] as const;

test('B6 whoever has the turn goes first: waves that keep coming do not keep a restore waiting', async () => {
  const locks = createLockStore(databases.ops);
  expect(await locks.acquire(shared, run('wave'))).toHaveProperty('held');
  expect(await locks.acquire(turn, run('restore'))).toHaveProperty('held');
  expect(await locks.acquire(exclusive, run('restore'))).toMatchObject({ holders: [{ run_id: 'wave' }] });
  // The next one waits; who holds it and asks again, because the answer was lost, has it.
  expect(await locks.acquire(shared, run('next'))).toMatchObject({ holders: [{ run_id: 'restore' }] });
  expect(await locks.acquire(shared, run('wave'))).toHaveProperty('held');
  await locks.releaseRun('wave');
  expect(await locks.acquire(exclusive, run('restore'))).toHaveProperty('held');
  await locks.releaseRun('restore');
  expect(await locks.acquire(shared, run('next'))).toHaveProperty('held');
});
