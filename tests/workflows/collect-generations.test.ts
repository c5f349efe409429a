import { randomUUID } from 'node:crypto';
import { createCollectActivities } from '../../activities/collect.ts';
import { createBackupRunStore } from '../../adapters/postgres/backup-runs.ts';
import { databaseIncarnation } from '../../adapters/postgres/database-incarnation.ts';
import { createLockStore, type LockWish } from '../../adapters/postgres/locks.ts';
import { pinOwner } from '../../domain/backup/run.ts';
import type { RunOfLock } from '../../domain/lock.ts';
import {
  allPoints,
  allRows,
  beginWave,
  commitCorpus,
  documentsOf,
  generationsGround,
  rowsAt,
  type GenerationsGround,
} from '../support/generations.ts';
import { runOnTemporal } from '../support/on-temporal.ts';

let ground: GenerationsGround;
beforeAll(async () => (ground = await generationsGround()));
afterAll(() => ground.close());

const corpus = { 'a.md': ['alpha one', 'alpha two'], 'b.md': ['beta'] };

const closed = new Set<string>();

/** The real activities; locks are taken as they come. */
function activities(): object {
  const locks = createLockStore(ground.databases.ops);
  return {
    ...createCollectActivities({
      ...{ garbage: ground.garbage, pins: ground.pins },
      incarnation: () => databaseIncarnation(ground.sql),
      isClosed: async ({ run_id }) => closed.has(run_id),
    }),
    takeLocks: async (wishes: readonly LockWish[], run: RunOfLock) => locks.acquire(wishes, run),
    releaseLocks: ({ run_id }: RunOfLock) => locks.releaseRun(run_id),
  };
}

async function collect(project: string, meanwhile?: () => Promise<void>): Promise<void> {
  const id = randomUUID();
  const input = { project, settle_ms: 300, look_ms: 300 };
  const run = { type: 'collectGenerations', workflowId: `collect-${id}`, input, activities: activities() };
  await runOnTemporal<null>(run, meanwhile);
}

async function expectSame(project: string): Promise<void> {
  await expect(allPoints(ground, await ground.collection(), project)).resolves.toEqual(
    await allRows(ground.sql, project),
  );
}

test('G6 after a rollback that doomed a wave: both numbers are swept, then what is dead is collected', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: corpus });
  await commitCorpus(ground, project, { put: { 'a.md': ['alpha two'] } });
  await commitCorpus(ground, project, { put: { 'a.md': ['alpha three'] } });
  const { ref } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, { 'c.md': ['gamma'] }));
  await ground.generations.rollBack(project);
  await collect(project);
  const states = (await ground.generations.list(project, { limit: 9 })).map(({ number, state }) => [number, state]);
  expect(states).toEqual([
    [4, 'swept'],
    [3, 'swept'],
    [2, 'committed'],
    [1, 'committed'],
  ]);
  await expect(rowsAt(ground.sql, project, 2)).resolves.toEqual({ ...corpus, 'a.md': ['alpha two'] });
  expect((await ground.generations.standing(project))?.gc_floor).toBe(1);
  await expectSame(project);
});

test('G7 waits for a pin, and goes on when it is gone', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: corpus });
  await ground.pins.pin(project, 1, 'backup');
  await ground.generations.rollBack(project);
  await collect(project, async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await ground.generations.find(project, 1))?.state).toBe('rolled_back');
    await ground.pins.unpin('backup');
  });
  expect((await ground.generations.find(project, 1))?.state).toBe('swept');
  await expect(allRows(ground.sql, project)).resolves.toEqual([]);
  await expectSame(project);
});

test('G7 what a backup has pinned that was terminated in Temporal is let go of; that of one that runs is not', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: corpus });
  const backup_id = randomUUID();
  const input = { backup_id, box: 'here', actor: 'tester', trigger: 'operator' as const, request: {} };
  const run = { workflow_id: 'backup', run_id: 'a run' };
  await createBackupRunStore(ground.databases.ops).open('create', null, input, run);
  await ground.pins.pin(project, 1, pinOwner(backup_id));
  await ground.generations.rollBack(project);
  await collect(project, async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await ground.pins.list(project)).toHaveLength(1);
    closed.add(run.run_id);
  });
  expect((await ground.generations.find(project, 1))?.state).toBe('swept');
  expect(await ground.pins.list(project)).toEqual([]);
});

test('G6 where nothing is left it ends', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: corpus });
  await collect(project);
  expect(await ground.generations.standing(project)).toMatchObject({ visible: 1, gc_floor: 0 });
});
