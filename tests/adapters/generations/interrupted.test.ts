import { PermanentFailure } from '../../../domain/failures.ts';
import { alive } from '../../../domain/generation/generation.ts';
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
beforeAll(async () => (ground = await generationsGround()));
afterAll(() => ground.close());

const first = { 'a.md': ['alpha one', 'alpha two'], 'b.md': ['beta'], 'c.md': ['gamma'] };
const second = { 'a.md': ['alpha one', 'alpha 2.0', 'alpha three'], 'd.md': ['delta'] };

/** The attempt dies before its request number `requests` to Qdrant: rows are there, points not, or in part. */
function dyingAfter(requests: number): { holds: () => Promise<boolean> } {
  let left = requests;
  return { holds: async () => (left -= 1) >= 0 };
}

async function expectSame(project: string): Promise<void> {
  await expect(allPoints(ground, await ground.collection(), project)).resolves.toEqual(
    await allRows(ground.sql, project),
  );
}

test.each([0, 1])(
  'G3 a writer that dies after %i requests to Qdrant: the next attempt finds its rows and comes to the same',
  async (n) => {
    const project = await ground.project();
    await commitCorpus(ground, project, { put: first });
    const { ref } = await beginWave(ground, project);
    const documents = documentsOf(project, second);
    await expect(ground.writer.write(ref, documents, dyingAfter(n))).rejects.toMatchObject({ type: 'LockLost' });
    expect((await allRows(ground.sql, project)).filter(({ born }) => born === ref.number)).toHaveLength(3);
    await expect(ground.writer.write(ref, documents)).resolves.toEqual({ chunks: 4, born: 3, kept: 1, died: 1 });
    await ground.writer.remove(ref, keysOf(project, ['c.md']));
    await expect(ground.proof.prove(ref)).resolves.toMatchObject({
      ok: true,
      detail: { born: 3, died: 2, repaired: 0 },
    });
    await ground.generations.commit(ref);
    await expect(rowsAt(ground.sql, project, ref.number)).resolves.toEqual({ 'b.md': first['b.md'], ...second });
    await expectSame(project);
  },
);

test('G3 a writer that never came back to its points: the proof finds each of them and repairs it from the rows', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: first });
  const { ref } = await beginWave(ground, project);
  await expect(ground.writer.write(ref, documentsOf(project, second), dyingAfter(0))).rejects.toThrow('lock');
  await expect(ground.writer.remove(ref, keysOf(project, ['c.md']), dyingAfter(0))).rejects.toThrow('lock');
  const proof = await ground.proof.prove(ref);
  expect(proof).toMatchObject({ ok: true, detail: { born: 3, died: 2, documents: 3, chunks: 5 } });
  expect(proof.detail.repaired).toBeGreaterThanOrEqual(5);
  await expectSame(project);
});

test('G3 one missing and one too many at a number are not the same, though as many', async () => {
  const project = await ground.project();
  const { ref } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, first));
  const collection = await ground.collection();
  const [gone] = await allPoints(ground, collection, project);
  await ground.qdrant.delete(collection, { points: [gone?.id ?? ''], wait: true });
  await putForeign(project, ref.number);
  await expect(ground.proof.prove(ref)).resolves.toMatchObject({ ok: true, detail: { born: 4, repaired: 2 } });
  await expectSame(project);
});

test('G3 two attempts of one batch at once: as if it had been one', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: first });
  const { ref } = await beginWave(ground, project);
  const documents = documentsOf(project, second);
  const done = await Promise.all([1, 2, 3, 4].map(() => ground.writer.write(ref, documents)));
  expect(new Set(done.map((each) => JSON.stringify(each))).size).toBe(1);
  await expect(ground.proof.prove(ref)).resolves.toMatchObject({ ok: true, detail: { born: 3, died: 1, repaired: 0 } });
  await expectSame(project);
});

test('G3 an attempt that had seen other content leaves nothing of it', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: first });
  const { ref } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, { 'a.md': ['something else', 'alpha two'] }));
  await ground.writer.write(ref, documentsOf(project, { 'a.md': ['alpha one', 'alpha 2.0'] }));
  await expect(ground.proof.prove(ref)).resolves.toMatchObject({ ok: true, detail: { born: 1, died: 1, repaired: 0 } });
  await ground.generations.commit(ref);
  await expect(rowsAt(ground.sql, project, ref.number)).resolves.toEqual({
    ...first,
    'a.md': ['alpha one', 'alpha 2.0'],
  });
  await expectSame(project);
});

test('G3 a document that has lost chunks, or chunks that have lost their document, are not proved', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: first });
  const { ref } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, second));
  await ground.sql`update documents set died = ${ref.number} where project = ${project} and path = 'b.md'`;
  await ground.sql`update documents set chunks = 9 where project = ${project} and path = 'd.md'`;
  const proof = await ground.proof.prove(ref);
  expect(proof).toMatchObject({ ok: false, reason: expect.stringContaining('b.md has 1 of 0 chunks') as string });
  expect(proof.reason).toContain('d.md has 1 of 9 chunks');
  await expect(ground.generations.commit(ref)).resolves.toEqual({ ok: false, reason: 'not_proved' });
});

test('G9 a late writer after a discard: refused by Postgres, and what had left for Qdrant is found', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: first });
  const { ref, wave_id } = await beginWave(ground, project);
  const documents = documentsOf(project, second);
  await ground.writer.write(ref, documents);
  await expect(ground.generations.discard(project, wave_id)).resolves.toBe(2);
  await expect(ground.writer.write(ref, documents)).rejects.toMatchObject({ type: 'GenerationClosed' });
  await expect(ground.proof.prove(ref)).rejects.toBeInstanceOf(PermanentFailure);
  await expect(sweepAll(ground, project)).resolves.toBe('done');

  // Two requests that were on their way: a birth and a death of the number that was swept.
  const [victim] = await allRows(ground.sql, project);
  const collection = await ground.collection();
  await ground.qdrant.setPayload(collection, { payload: { died: 2 }, points: [victim?.id ?? ''], wait: true });
  await putForeign(project, 2);
  const repaired = await ground.reconciliation.project(project, new AbortController().signal);
  expect(repaired).toMatchObject([
    { mark: 'born', number: 2, rows: 0, points: 1, removed: 1 },
    { mark: 'died', number: 2, rows: 0, points: 1, redated: 1 },
  ]);
  await expectSame(project);
  await expect(ground.reconciliation.project(project, new AbortController().signal)).resolves.toEqual([]);
});

async function putForeign(project: string, born: number): Promise<void> {
  const vector = { dense: [1, 0, 0, 0, 0, 0, 0, 0], terms: { indices: [1], values: [1] } };
  const payload = { project, kind: 'corpus', born, died: alive };
  const id = '11111111-2222-4333-8444-555555555555';
  await ground.qdrant.upsert(await ground.collection(), { points: [{ id, vector, payload }], wait: true });
}
