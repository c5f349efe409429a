import { renewIncarnation } from '../../../adapters/postgres/database-incarnation.ts';
import {
  allPoints,
  allRows,
  beginWave,
  commitCorpus,
  documentsOf,
  generationsGround,
  keysOf,
  rowsAt,
  sweepAll,
  type GenerationsGround,
} from '../../support/generations.ts';

let ground: GenerationsGround;
beforeEach(async () => (ground = await generationsGround()));
afterEach(() => ground.close());

const corpus = { 'a.md': ['alpha one', 'alpha two'], 'b.md': ['beta'] };

test('G4 a restore in the middle of a wave: nothing of the wave comes through, and what is left of it is swept', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: corpus });
  const { ref, wave_id } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, { 'c.md': ['gamma'] }));
  // As a backup that was taken at this moment would bring it back.
  await renewIncarnation(ground.sql);
  const restored = { type: 'IncarnationChanged' };
  await expect(ground.writer.write(ref, documentsOf(project, { 'd.md': ['delta'] }))).rejects.toMatchObject(restored);
  await expect(ground.writer.remove(ref, keysOf(project, ['a.md']))).rejects.toMatchObject(restored);
  await expect(
    ground.writer.move(ref, [{ key: keysOf(project, ['a.md'])[0] ?? '', path: 'x', uri: null }]),
  ).rejects.toMatchObject(restored);
  await expect(ground.proof.prove(ref)).rejects.toMatchObject(restored);
  await expect(ground.generations.commit(ref)).resolves.toEqual({ ok: false, reason: 'incarnation_changed' });
  const wanted = {
    project,
    wave_id,
    parent: 1,
    incarnation: ref.incarnation,
    collection: await ground.collection(),
    identity: 'stub:8:mean:-:-',
  };
  await expect(ground.generations.begin(wanted)).resolves.toEqual({ ok: false, reason: 'closed', numbers: [2] });

  await expect(beginWave(ground, project)).rejects.toThrow('unswept');
  await expect(sweepAll(ground, project)).resolves.toBe('done');
  await expect(commitCorpus(ground, project, { put: { 'd.md': ['delta'] } })).resolves.toBe(3);
  await expect(rowsAt(ground.sql, project, 3)).resolves.toEqual({ ...corpus, 'd.md': ['delta'] });
  await expect(allPoints(ground, await ground.collection(), project)).resolves.toEqual(
    await allRows(ground.sql, project),
  );
});

test('G4 a wave that was proved before the restore is not committed after it', async () => {
  const project = await ground.project();
  const { ref } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, corpus));
  await ground.proof.prove(ref);
  await renewIncarnation(ground.sql);
  await expect(ground.generations.commit(ref)).resolves.toEqual({ ok: false, reason: 'incarnation_changed' });
  expect((await ground.generations.standing(project))?.visible).toBe(0);
});

test('G4 a restore waits for the batch that is just being written, and the batch after it is refused', async () => {
  const project = await ground.project();
  const { ref } = await beginWave(ground, project);
  const order: string[] = [];
  let restored: Promise<unknown> = Promise.resolve();
  await ground.writer
    .write(ref, documentsOf(project, corpus), {
      also: async (tx) => {
        restored = renewIncarnation(ground.sql).then(() => order.push('restored'));
        await tx`select pg_sleep(0.2)`;
        order.push('written');
      },
    })
    .catch((error: unknown) => order.push(String(error)));
  await restored;
  expect(order.indexOf('written')).toBeLessThan(order.indexOf('restored'));
  await expect(ground.writer.write(ref, documentsOf(project, corpus))).rejects.toMatchObject({
    type: 'IncarnationChanged',
  });
});

test('G9 G12 points of another life are taken away, and those that the restore lost are made of rows again', async () => {
  const project = await ground.project();
  const collection = await ground.collection();
  await commitCorpus(ground, project, { put: corpus });
  const backup = await allRows(ground.sql, project);
  await commitCorpus(ground, project, { put: { 'a.md': ['alpha of the other life'] } });
  // Postgres goes back, Qdrant does not.
  await ground.sql`delete from chunks where project = ${project} and born = 2`;
  await ground.sql`delete from documents where project = ${project} and born = 2`;
  await ground.sql`delete from generations where project = ${project} and number = 2`;
  await ground.sql`update chunks set died = 9007199254740991 where project = ${project}`;
  await ground.sql`update documents set died = 9007199254740991 where project = ${project}`;
  await ground.sql`update projects set visible = 1 where id = ${project}`;
  await renewIncarnation(ground.sql);
  await ground.qdrant.delete(collection, { points: [backup[0]?.id ?? ''], wait: true });
  const repaired = await ground.reconciliation.all(new AbortController().signal);
  expect([...repaired.keys()]).toEqual([project]);
  await expect(allRows(ground.sql, project)).resolves.toEqual(backup);
  await expect(allPoints(ground, collection, project)).resolves.toEqual(backup);
});

test('G2 G9 a Qdrant that lost everything is filled again from the rows, vectors and all', async () => {
  const project = await ground.project();
  const collection = await ground.collection();
  await commitCorpus(ground, project, { put: corpus });
  const read = async () => (await ground.qdrant.scroll(collection, { with_vector: true, with_payload: true })).points;
  const before = await read();
  await ground.qdrant.deleteCollection(collection);
  await ground.reconciliation.all(new AbortController().signal);
  await expect(read()).resolves.toEqual(before);
});
