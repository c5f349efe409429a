import { ensureCollection } from '../../../adapters/qdrant/collections.ts';
import {
  allPoints,
  allRows,
  beginWave,
  collectAll,
  commitCorpus,
  documentsOf,
  generationsGround,
  otherIdentity,
  pointsAt,
  sweepAll,
  type GenerationsGround,
} from '../../support/generations.ts';

let ground: GenerationsGround;
beforeAll(async () => (ground = await generationsGround()));
afterAll(() => ground.close());

const corpus = { 'a.md': ['alpha one', 'alpha two'], 'b.md': ['beta'] };

test('G11 another model is a wave into the other collection; the first one stays until it is collected', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: corpus });
  await commitCorpus(ground, project, { put: corpus, identity: otherIdentity });
  const [one, other] = [await ground.collection(), await ground.collection(otherIdentity)];
  expect(await ground.generations.find(project, 2)).toMatchObject({
    collection: other,
    identity: otherIdentity,
    chunks: 3,
  });
  await expect(pointsAt(ground, one, project, 1)).resolves.toHaveLength(3);
  await expect(pointsAt(ground, one, project, 2)).resolves.toEqual([]);
  await expect(pointsAt(ground, other, project, 2)).resolves.toHaveLength(3);
  await expect(pointsAt(ground, other, project, 1)).resolves.toEqual([]);
  // Back at once: both are whole.
  await ground.generations.rollBack(project);
  await sweepAll(ground, project);
  await ground.generations.release(project);
  await expect(pointsAt(ground, one, project, 1)).resolves.toHaveLength(3);
  await expect(allPoints(ground, other, project)).resolves.toEqual([]);
  await commitCorpus(ground, project, { put: corpus, identity: otherIdentity });
  await commitCorpus(ground, project, { put: { 'c.md': ['gamma'] }, identity: otherIdentity });
  await collectAll(ground, project);
  await expect(allPoints(ground, one, project)).resolves.toEqual([]);
  await expect(allPoints(ground, other, project)).resolves.toEqual(await allRows(ground.sql, project));
});

test('G11 many projects in one collection, and none touches another', async () => {
  const [one, other] = [await ground.project(), await ground.project()];
  const collection = await ground.collection();
  await commitCorpus(ground, one, { put: corpus });
  await commitCorpus(ground, other, { put: corpus });
  const before = await allPoints(ground, collection, other);
  await commitCorpus(ground, one, { put: { 'a.md': ['alpha'] }, remove: ['b.md'] });
  await ground.generations.rollBack(one);
  await sweepAll(ground, one);
  await ground.generations.release(one);
  await commitCorpus(ground, one, { put: { 'a.md': ['alpha'] }, remove: ['b.md'] });
  await commitCorpus(ground, one, { put: { 'a.md': ['alpha 3'] } });
  await collectAll(ground, one);
  await expect(allPoints(ground, collection, other)).resolves.toEqual(before);
});

test('G11 where nothing is embedded points have terms alone, and everything else is the same', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: corpus, identity: 'none' });
  await commitCorpus(ground, project, { put: { 'a.md': ['alpha one', 'alpha 2'] }, identity: 'none' });
  const collection = await ground.collection('none');
  await expect(allPoints(ground, collection, project)).resolves.toEqual(await allRows(ground.sql, project));
  const { points } = await ground.qdrant.scroll(collection, { with_vector: true, limit: 10 });
  expect(points.map(({ vector }) => Object.keys(vector ?? {}))).toEqual(points.map(() => ['terms']));
  const vectors = await ground.sql`select 1 from vectors where identity = 'none'`;
  expect(vectors).toHaveLength(0);
  await ground.qdrant.deleteCollection(collection);
  await ground.reconciliation.project(project, new AbortController().signal);
  await expect(allPoints(ground, collection, project)).resolves.toEqual(await allRows(ground.sql, project));
});

test('G3 G11 the proof also fills a collection that was lost while the project goes to another one', async () => {
  const project = await ground.project();
  const [kept, lost] = ['kept:8:mean:-:-', 'lost:4:mean:-:-'];
  await commitCorpus(ground, project, { put: corpus, identity: lost });
  const collection = await ground.collection(lost);
  const before = await allPoints(ground, collection, project);
  await ground.qdrant.deleteCollection(collection);
  await commitCorpus(ground, project, { put: corpus, identity: kept });
  await expect(allPoints(ground, collection, project)).resolves.toEqual(before.map((point) => ({ ...point, died: 2 })));
});

test('G11 a wave with another model that leaves documents behind is not proved', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: corpus });
  const { ref } = await beginWave(ground, project, { identity: otherIdentity });
  await ground.writer.write(ref, documentsOf(project, { 'a.md': corpus['a.md'] }, 0, otherIdentity));
  const proof = await ground.proof.prove(ref);
  const reason = expect.stringMatching(/generation 1 are still in .*, such as those of \S*b\.md: mend it/) as string;
  expect(proof).toMatchObject({ ok: false, reason });
  await ground.writer.write(ref, documentsOf(project, { 'b.md': corpus['b.md'] }, 0, otherIdentity));
  await expect(ground.proof.prove(ref)).resolves.toMatchObject({ ok: true, detail: { chunks: 3 } });
});

test('G11 a collection of other dimensions is refused', async () => {
  const name = await ground.collection();
  await expect(ensureCollection(ground.qdrant, name, 4)).rejects.toMatchObject({ type: 'CollectionMismatch' });
  await expect(ensureCollection(ground.qdrant, name, null)).rejects.toMatchObject({ type: 'CollectionMismatch' });
  await expect(ensureCollection(ground.qdrant, name, 8)).resolves.toBeUndefined();
});

test('G11 vectors of other dimensions are refused before anything is written', async () => {
  const project = await ground.project();
  const { ref } = await beginWave(ground, project);
  const foreign = documentsOf(project, corpus, 0, otherIdentity);
  await expect(ground.writer.write(ref, foreign)).rejects.toMatchObject({ type: 'CollectionMismatch' });
  await expect(allRows(ground.sql, project)).resolves.toEqual([]);
});

test('G2 a chunk without a vector takes the stored one, and is refused when there is none', async () => {
  const project = await ground.project();
  const bare = (texts: readonly string[]) =>
    documentsOf(project, { 'a.md': texts }).map(({ document, chunks }) => ({
      document,
      chunks: chunks.map((chunk) => ({ ...chunk, vector: null })),
    }));
  const { ref } = await beginWave(ground, project);
  await expect(ground.writer.write(ref, bare(['never embedded']))).rejects.toMatchObject({ type: 'VectorMissing' });
  await ground.writer.write(ref, documentsOf(project, { 'b.md': ['was embedded'] }));
  await ground.writer.write(ref, bare(['was embedded']));
  const { points } = await ground.qdrant.scroll(await ground.collection(), {
    filter: { must: [{ key: 'project', match: { value: project } }] },
    with_vector: ['dense'],
  });
  expect(points).toHaveLength(2);
  expect(points[0]?.vector).toEqual(points[1]?.vector);
});

test('G2 of two vectors for one text the first one counts, in both stores', async () => {
  const project = await ground.project();
  const { ref } = await beginWave(ground, project);
  const [first] = documentsOf(project, { 'a.md': ['made twice'] });
  const [second] = documentsOf(project, { 'b.md': ['made twice'] });
  if (first === undefined || second === undefined) throw new Error('no documents');
  const slightly = new Float32Array([1, 0, 0, 0, 0, 0, 0, 0]);
  await ground.writer.write(ref, [first]);
  await ground.writer.write(ref, [
    { ...second, chunks: second.chunks.map((chunk) => ({ ...chunk, vector: slightly })) },
  ]);
  const { points } = await ground.qdrant.scroll(await ground.collection(), {
    filter: { must: [{ key: 'project', match: { value: project } }] },
    with_vector: ['dense'],
  });
  expect(points[0]?.vector).toEqual(points[1]?.vector);
});
