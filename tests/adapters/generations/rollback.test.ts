import { randomUUID } from 'node:crypto';
import { until } from '../../support/box.ts';
import {
  allPoints,
  allRows,
  beginWave,
  collectAll,
  commitCorpus,
  documentsOf,
  generationsGround,
  keysOf,
  rowsAt,
  sweepAll,
  type GenerationsGround,
} from '../../support/generations.ts';

let ground: GenerationsGround;
beforeAll(async () => (ground = await generationsGround()));
afterAll(() => ground.close());

const first = { 'a.md': ['alpha one', 'alpha two'], 'b.md': ['beta'] };
const second = { 'a.md': ['alpha one', 'alpha 2.0'] };

async function twoGenerations(): Promise<string> {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: first });
  await commitCorpus(ground, project, { put: second, remove: ['b.md'] });
  return project;
}

async function expectSame(project: string): Promise<void> {
  await expect(allPoints(ground, await ground.collection(), project)).resolves.toEqual(
    await allRows(ground.sql, project),
  );
}

test('G5 puts the parent back in one transaction and holds; the sweep leaves what was before', async () => {
  const project = await twoGenerations();
  await expect(ground.generations.rollBack(project)).resolves.toEqual({ ok: true, number: 2, parent: 1, doomed: [] });
  expect(await ground.generations.standing(project)).toMatchObject({ visible: 1, held: true });
  await expect(rowsAt(ground.sql, project, 1)).resolves.toEqual(first);
  await expect(sweepAll(ground, project)).resolves.toBe('done');
  await expect(rowsAt(ground.sql, project, 1)).resolves.toEqual(first);
  expect((await allRows(ground.sql, project)).every(({ born, died }) => born === 1 && died > 2)).toBe(true);
  await expectSame(project);
  const [counts] =
    await ground.sql`select count(*)::int as n from term_counts where project = ${project} and (born = 2 or died = 2)`;
  expect(counts).toEqual({ n: 0 });
  expect((await ground.generations.find(project, 2))?.state).toBe('swept');
});

test('G5 O2 who undid what, and why, and who let go again, is noted with the change, once each', async () => {
  const project = await twoGenerations();
  const said = { actor: 'anna', reason: 'tables were lost' };
  await ground.generations.rollBack(project, 2, said);
  await ground.generations.rollBack(project, 2, said);
  await ground.generations.release(project, { actor: 'bob' });
  await ground.generations.release(project, { actor: 'bob' });
  const noted = await ground.sql`
    select type, actor, data from outbox where subject = ${`project/${project}`} order by seq`;
  expect([...noted]).toEqual([
    { type: 'wave.rolled_back', actor: 'anna', data: { number: 2, visible: 1, doomed: [], reason: said.reason } },
    { type: 'project.released', actor: 'bob', data: {} },
  ]);
});

test('G6 what was waited for counts: the time from which is settled is that at which nothing writes any more', async () => {
  const project = await twoGenerations();
  const { ref } = await beginWave(ground, project);
  // A batch that is under way holds the generation for a while.
  let written = (): void => undefined;
  const writing = new Promise<void>((resolve) => (written = resolve));
  const also = async (): Promise<void> => writing;
  const batch = ground.writer.write(ref, documentsOf(project, { 'e.md': ['epsilon'] }), { also });
  await until(async () => {
    const [held] = await ground.sql`select 1 from pg_stat_activity where state = 'idle in transaction'
      and datname = current_database()`;
    return held !== undefined;
  });
  const rolledBack = ground.generations.rollBack(project);
  await until(async () => {
    const [waiting] = await ground.sql`select 1 from pg_stat_activity where wait_event_type = 'Lock'
      and datname = current_database()`;
    return waiting !== undefined;
  });
  const [{ now } = { now: '' }] = await ground.sql<{ now: string }[]>`select clock_timestamp()::text as now`;
  written();
  await batch.catch(() => undefined);
  await rolledBack;
  const ended = await ground.sql`
    select number from generations where project = ${project} and ended_at > ${now}::timestamptz order by number`;
  expect(ended.map(({ number }) => Number(number))).toEqual([2, 3]);
});

test('G4 G5 a wave that may not begin ends nobody else: one of an older database, of another plan, or while it is held', async () => {
  const project = await twoGenerations();
  const { ref } = await beginWave(ground, project);
  const [{ id: incarnation } = { id: '' }] = await ground.sql<{ id: string }[]>`select id from incarnation`;
  const wanted = { project, wave_id: randomUUID(), collection: await ground.collection(), identity: 'stub:8:mean:-:-' };
  const older = { ...wanted, incarnation: randomUUID(), parent: 2 };
  await expect(ground.generations.begin(older)).resolves.toMatchObject({ reason: 'incarnation_changed' });
  await expect(ground.generations.begin({ ...wanted, incarnation, parent: 1 })).resolves.toMatchObject({
    reason: 'replan',
  });
  expect((await ground.generations.find(project, ref.number))?.state).toBe('writing');
  await ground.writer.write(ref, documentsOf(project, { 'e.md': ['epsilon'] }));
});

test('G5 asked for twice undoes once; one rollback deep until somebody releases', async () => {
  const project = await twoGenerations();
  await expect(ground.generations.rollBack(project, 2)).resolves.toMatchObject({ ok: true, number: 2 });
  await expect(ground.generations.rollBack(project, 2)).resolves.toMatchObject({ ok: true, number: 2, parent: 1 });
  await expect(ground.generations.rollBack(project)).resolves.toEqual({ ok: false, reason: 'held' });
  await expect(beginWave(ground, project)).rejects.toThrow('held');
  await expect(ground.generations.release(project)).resolves.toBe(true);
  await expect(ground.generations.release(project)).resolves.toBe(false);
  await expect(beginWave(ground, project)).rejects.toThrow('unswept');
  await sweepAll(ground, project);
  const { ref } = await beginWave(ground, project);
  expect(ref.number).toBe(3);
});

test('G5 while a wave writes: it is doomed, none of its writes comes through, and it cannot commit', async () => {
  const project = await twoGenerations();
  const { ref } = await beginWave(ground, project);
  const documents = documentsOf(project, { 'e.md': ['epsilon'], ...second });
  await ground.writer.write(ref, documents);
  await ground.writer.remove(ref, keysOf(project, ['a.md']));
  const [rolledBack, late] = await Promise.all([
    ground.generations.rollBack(project),
    ground.writer.write(ref, documents).then(
      () => 'in time',
      (error: unknown) => (error as { type: string }).type,
    ),
  ]);
  expect(rolledBack).toEqual({ ok: true, number: 2, parent: 1, doomed: [3] });
  expect(['in time', 'GenerationClosed']).toContain(late);
  await expect(ground.writer.write(ref, documents)).rejects.toMatchObject({ type: 'GenerationClosed' });
  await expect(ground.generations.commit(ref)).resolves.toEqual({ ok: false, reason: 'not_proved' });
  // Deaths of both numbers on the same rows, and paths that both have: the latest goes first.
  await expect(ground.garbage.nextToSweep(project)).resolves.toBe(3);
  await expect(sweepAll(ground, project)).resolves.toBe('done');
  await expect(rowsAt(ground.sql, project, 1)).resolves.toEqual(first);
  await expectSame(project);
});

test('G4 a wave that is proved when the ground moves under it is not committed', async () => {
  const project = await twoGenerations();
  const { ref } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, { 'e.md': ['epsilon'] }));
  await expect(ground.proof.prove(ref)).resolves.toMatchObject({ ok: true });
  await expect(ground.writer.write(ref, [])).rejects.toMatchObject({ type: 'GenerationClosed' });
  await ground.generations.rollBack(project);
  await expect(ground.generations.commit(ref)).resolves.toEqual({ ok: false, reason: 'not_proved' });
  expect((await ground.generations.standing(project))?.visible).toBe(1);
});

test('G4 of commits and a rollback at once one wins, and nothing in between is seen', async () => {
  const project = await twoGenerations();
  const { ref } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, { 'e.md': ['epsilon'] }));
  await ground.proof.prove(ref);
  const [committed, rolledBack] = await Promise.all([
    ground.generations.commit(ref),
    ground.generations.rollBack(project, 2),
    ground.generations.commit(ref),
  ]);
  const { visible } = (await ground.generations.standing(project)) ?? {};
  expect(committed.ok).not.toBe(rolledBack.ok);
  expect(visible).toBe(committed.ok ? 3 : 1);
});

test('G1 G5 a plan that was made on what is not visible any more takes no number', async () => {
  const project = await twoGenerations();
  await ground.generations.rollBack(project);
  await sweepAll(ground, project);
  await ground.generations.release(project);
  const [{ id: incarnation } = { id: '' }] = await ground.sql<{ id: string }[]>`select id from incarnation`;
  const planned = {
    project,
    parent: 2,
    incarnation,
    collection: await ground.collection(),
    identity: 'stub:8:mean:-:-',
  };
  const begun = await ground.generations.begin({ ...planned, wave_id: '6b1f3a52-9d0c-4f7e-8a35-2c4e6f8b0d17' });
  expect(begun).toEqual({ ok: false, reason: 'replan', numbers: [] });
  expect((await ground.generations.standing(project))?.last_number).toBe(2);
});

test('G5 what is collected cannot be put back', async () => {
  const project = await twoGenerations();
  await commitCorpus(ground, project, { put: { 'c.md': ['gamma'] } });
  await expect(collectAll(ground, project)).resolves.toBe('done');
  expect((await ground.generations.standing(project))?.gc_floor).toBe(2);
  await expect(ground.generations.rollBack(project)).resolves.toMatchObject({ ok: true, parent: 2 });
  await ground.generations.release(project);
  await expect(ground.generations.rollBack(project)).resolves.toEqual({ ok: false, reason: 'collected' });
});

test('G5 of nothing', async () => {
  const project = await ground.project();
  await expect(ground.generations.rollBack(project)).resolves.toEqual({ ok: false, reason: 'nothing_visible' });
  await expect(ground.generations.rollBack('nobody')).resolves.toEqual({ ok: false, reason: 'project_unknown' });
});
