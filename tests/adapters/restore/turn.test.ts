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

test('B6 B4 a restore that is held lets the data go and keeps its point in use', async () => {
  const locks = createLockStore(databases.ops);
  const held = run('held');
  const point = [{ resource: 'point/a', mode: 'shared' }] as const;
  expect(await locks.acquire([...turn, ...point], held)).toHaveProperty('held');
  await locks.releaseRun('held', ['point/a']);
  const prune = [{ resource: 'point/a', mode: 'exclusive' }] as const;
  expect(await locks.acquire(turn, run('later'))).toHaveProperty('held');
  expect(await locks.acquire(prune, run('prune'))).toMatchObject({ holders: [{ run_id: 'held' }] });
  await locks.releaseRun('held');
  expect(await locks.acquire(prune, run('prune'))).toHaveProperty('held');
});
