import { randomUUID } from 'node:crypto';
import {
  allPoints,
  allRows,
  beginWave,
  commitCorpus,
  documentsOf,
  generationsGround,
  keysOf,
  pointsAt,
  rowsAt,
  type GenerationsGround,
} from '../../support/generations.ts';

let ground: GenerationsGround;
beforeAll(async () => (ground = await generationsGround()));
afterAll(() => ground.close());

const corpus = { 'a.md': ['alpha one', 'alpha two'], 'b.md': ['beta'] };

describe('G1 numbers', () => {
  test('G1 the same wave again is the same number; another one is the next', async () => {
    const project = await ground.project();
    const wave_id = randomUUID();
    const first = await beginWave(ground, project, { wave_id });
    const again = await beginWave(ground, project, { wave_id });
    expect(again.ref).toEqual(first.ref);
    expect(first.ref.number).toBe(1);
    await ground.generations.discard(project, wave_id);
    await expect(beginWave(ground, project)).rejects.toThrow('unswept');
  });
});

describe('G2 G3 G4 a wave', () => {
  test('is seen by nobody until it is committed, and then whole', async () => {
    const project = await ground.project();
    const collection = await ground.collection();
    const { ref } = await beginWave(ground, project);
    await expect(ground.writer.write(ref, documentsOf(project, corpus))).resolves.toEqual({
      chunks: 3,
      born: 3,
      kept: 0,
      died: 0,
    });
    expect((await ground.generations.standing(project))?.visible).toBe(0);
    await expect(rowsAt(ground.sql, project, 0)).resolves.toEqual({});
    await expect(pointsAt(ground, collection, project, 0)).resolves.toEqual([]);
    await expect(ground.proof.prove(ref)).resolves.toEqual({
      ok: true,
      reason: 'both stores are the same',
      detail: { born: 3, died: 0, documents: 2, chunks: 3, repaired: 0 },
    });
    await expect(ground.generations.commit(ref)).resolves.toEqual({ ok: true });
    await expect(ground.generations.commit(ref)).resolves.toEqual({ ok: true });
    await expect(rowsAt(ground.sql, project, 1)).resolves.toEqual(corpus);
    await expect(allPoints(ground, collection, project)).resolves.toEqual(await allRows(ground.sql, project));
    expect((await ground.generations.standing(project))?.visible).toBe(1);
  });

  test('G2 keeps what did not change: no row, no point, no vector', async () => {
    const project = await ground.project();
    await commitCorpus(ground, project, { put: corpus });
    const before = await allRows(ground.sql, project);
    const { ref } = await beginWave(ground, project);
    const changed = { 'a.md': ['alpha one', 'alpha 2.0'] };
    await expect(ground.writer.write(ref, documentsOf(project, changed))).resolves.toEqual({
      chunks: 2,
      born: 1,
      kept: 1,
      died: 1,
    });
    await expect(ground.proof.prove(ref)).resolves.toMatchObject({
      ok: true,
      detail: { documents: 2, chunks: 3, repaired: 0 },
    });
    await expect(ground.generations.commit(ref)).resolves.toEqual({ ok: true });
    await expect(rowsAt(ground.sql, project, 1)).resolves.toEqual(corpus);
    await expect(rowsAt(ground.sql, project, 2)).resolves.toEqual({ ...corpus, ...changed });
    const after = await allRows(ground.sql, project);
    expect(after.filter(({ born }) => born === 1).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    await expect(allPoints(ground, await ground.collection(), project)).resolves.toEqual(after);
  });

  test('G2 moves documents without a new chunk, also when paths change hands', async () => {
    const project = await ground.project();
    await commitCorpus(ground, project, { put: corpus });
    const before = await allRows(ground.sql, project);
    const [a = '', b = ''] = keysOf(project, ['a.md', 'b.md']);
    const { ref } = await beginWave(ground, project);
    await ground.writer.move(ref, [{ key: a, path: 'b.md', uri: null }]);
    await ground.writer.move(ref, [{ key: b, path: 'a.md', uri: null, title: 'B' }]);
    await expect(ground.proof.prove(ref)).resolves.toMatchObject({
      ok: true,
      detail: { born: 0, died: 0, documents: 2, chunks: 3 },
    });
    await ground.generations.commit(ref);
    await expect(rowsAt(ground.sql, project, 2)).resolves.toEqual({ 'b.md': corpus['a.md'], 'a.md': corpus['b.md'] });
    await expect(rowsAt(ground.sql, project, 1)).resolves.toEqual(corpus);
    await expect(allRows(ground.sql, project)).resolves.toEqual(before);
  });
});
