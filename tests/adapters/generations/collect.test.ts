import { databaseIncarnation } from '../../../adapters/postgres/database-incarnation.ts';
import {
  allPoints,
  allRows,
  collectAll,
  commitCorpus,
  generationsGround,
  rowsAt,
  sweepAll,
  type GenerationsGround,
} from '../../support/generations.ts';

let ground: GenerationsGround;
beforeAll(async () => (ground = await generationsGround()));
afterAll(() => ground.close());

const versions = ['one', 'two', 'three', 'four'].map((word) => ({ 'a.md': [`alpha ${word}`], 'b.md': ['beta'] }));

/** Generations 1, 2 … each with another text of a.md. */
async function generationsOf(count: number): Promise<string> {
  const project = await ground.project();
  for (const put of versions.slice(0, count)) await commitCorpus(ground, project, { put });
  return project;
}

async function expectSame(project: string): Promise<void> {
  await expect(allPoints(ground, await ground.collection(), project)).resolves.toEqual(
    await allRows(ground.sql, project),
  );
}

test('G6 what died up to the parent of what is visible is deleted in both stores, and nothing else', async () => {
  const project = await generationsOf(4);
  await expect(collectAll(ground, project)).resolves.toBe('done');
  expect((await ground.generations.standing(project))?.gc_floor).toBe(3);
  const rows = await allRows(ground.sql, project);
  expect(rows.map(({ died }) => died).filter((died) => died <= 4)).toEqual([4]);
  await expectSame(project);
  await expect(rowsAt(ground.sql, project, 4)).resolves.toEqual(versions[3]);
  await expect(rowsAt(ground.sql, project, 3)).resolves.toEqual(versions[2]);
  await expect(rowsAt(ground.sql, project, 2)).resolves.toEqual({});
  const counts = await ground.sql`select 1 from term_counts where project = ${project} and died <= 3`;
  expect(counts).toHaveLength(0);
});

test('G6 a collection that dies in the middle goes on where it ended; points that came too late go with it', async () => {
  const project = await generationsOf(4);
  const scope = { project, incarnation: await databaseIncarnation(ground.sql) };
  const floor = await ground.garbage.raiseFloor(scope);
  const dead = (await allPoints(ground, await ground.collection(), project)).filter(({ died }) => died <= floor);
  expect(dead).toHaveLength(2);
  const steps: string[] = [];
  for (let at = 0; at < 3; at += 1)
    steps.push((await ground.garbage.collect(scope, floor, async () => undefined)).state);
  expect(steps).toEqual(['more', 'more', 'more']);
  await expect(collectAll(ground, project)).resolves.toBe('done');
  await expectSame(project);
  // A write that was on its way brings one back: the next collection takes it away again.
  const vector = { dense: [1, 0, 0, 0, 0, 0, 0, 0], terms: { indices: [1], values: [1] } };
  const [{ id, ...marks } = { id: '' }] = dead;
  const points = [{ id, vector, payload: { project, kind: 'corpus', ...marks } }];
  await ground.qdrant.upsert(await ground.collection(), { points, wait: true });
  await expect(collectAll(ground, project)).resolves.toBe('done');
  await expectSame(project);
});

test('G6 a point that only says that it is dead is not deleted', async () => {
  const project = await generationsOf(3);
  const [living] = (await allRows(ground.sql, project)).filter(({ born, died }) => born === 1 && died > 3);
  const collection = await ground.collection();
  await ground.qdrant.setPayload(collection, { payload: { died: 1 }, points: [living?.id ?? ''], wait: true });
  await expect(collectAll(ground, project)).resolves.toBe('done');
  await expectSame(project);
});

test('G6 the floor never goes back, also not after a rollback', async () => {
  const project = await generationsOf(3);
  await collectAll(ground, project);
  await ground.generations.rollBack(project);
  await sweepAll(ground, project);
  await expect(collectAll(ground, project)).resolves.toBe('done');
  expect(await ground.generations.standing(project)).toMatchObject({ visible: 2, gc_floor: 2 });
  await expect(rowsAt(ground.sql, project, 2)).resolves.toEqual(versions[1]);
  await expectSame(project);
});

test('G7 what is pinned is kept as long as it is, and can be read', async () => {
  const project = await generationsOf(2);
  await expect(ground.pins.pin(project, null, 'backup/1')).resolves.toBe(2);
  await expect(ground.pins.pin(project, 1, 'backup/0')).resolves.toBe(1);
  for (const put of versions.slice(2)) await commitCorpus(ground, project, { put });
  await collectAll(ground, project);
  expect((await ground.generations.standing(project))?.gc_floor).toBe(1);
  await expect(rowsAt(ground.sql, project, 1)).resolves.toEqual(versions[0]);
  await ground.pins.unpin('backup/0');
  await collectAll(ground, project);
  expect((await ground.generations.standing(project))?.gc_floor).toBe(2);
  await expect(rowsAt(ground.sql, project, 2)).resolves.toEqual(versions[1]);
  await expect(ground.pins.list(project)).resolves.toMatchObject([{ generation: 2, owner: 'backup/1' }]);
  await ground.pins.unpin('backup/1', project);
  await expect(ground.pins.list(project)).resolves.toEqual([]);
  await collectAll(ground, project);
  expect((await ground.generations.standing(project))?.gc_floor).toBe(3);
  await expectSame(project);
});

test('G7 what is collected, or was never seen, cannot be pinned', async () => {
  const project = await generationsOf(3);
  await collectAll(ground, project);
  await expect(ground.pins.pin(project, 1, 'late')).resolves.toBeNull();
  await expect(ground.pins.pin(project, 4, 'early')).resolves.toBeNull();
  await expect(ground.pins.pin('nobody', null, 'late')).resolves.toBeNull();
  await expect(ground.pins.pin(project, 2, 'in time')).resolves.toBe(2);
});

test('G7 a rolled-back number that is pinned is not swept, and the next wave waits', async () => {
  const project = await generationsOf(2);
  await ground.pins.pin(project, null, 'backup/2');
  await ground.generations.rollBack(project);
  await expect(sweepAll(ground, project)).resolves.toBe('pinned');
  await expect(rowsAt(ground.sql, project, 2)).resolves.toEqual(versions[1]);
  await ground.pins.unpin('backup/2');
  await expect(sweepAll(ground, project)).resolves.toBe('done');
});

test('G7 a pin that comes while batches are deleted is there before, or refused', async () => {
  const project = await generationsOf(4);
  const [pinned, collected] = await Promise.all([ground.pins.pin(project, 2, 'racing'), collectAll(ground, project)]);
  expect([2, null]).toContain(pinned);
  expect(collected).toBe('done');
  const { gc_floor } = (await ground.generations.standing(project)) ?? {};
  expect(gc_floor).toBe(pinned === null ? 3 : 2);
  await expect(rowsAt(ground.sql, project, 2)).resolves.toEqual(pinned === null ? {} : versions[1]);
});

test('G6 nothing is swept while a reader or a late writer may still hold the number', async () => {
  const project = await generationsOf(2);
  await ground.generations.rollBack(project);
  const scope = { project, incarnation: await databaseIncarnation(ground.sql) };
  const step = await ground.garbage.sweep(scope, 2, 3_600_000, async () => undefined);
  expect(step).toMatchObject({ state: 'waiting' });
  expect(step.state === 'waiting' ? step.ms : 0).toBeGreaterThan(3_000_000);
  await expect(rowsAt(ground.sql, project, 2)).resolves.toEqual(versions[1]);
});

test('G6 what is visible, or was committed, is never swept', async () => {
  const project = await generationsOf(2);
  const scope = { project, incarnation: await databaseIncarnation(ground.sql) };
  for (const number of [1, 2, 3]) {
    await expect(ground.garbage.sweep(scope, number, 0, async () => undefined)).rejects.toThrow('not to be swept');
  }
});
