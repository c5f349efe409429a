import { createProof } from '../../../adapters/generations/prove.ts';
import { createGenerationWriter } from '../../../adapters/generations/writer.ts';
import { connect, type Sql } from '../../../adapters/postgres/connect.ts';
import {
  beginWave,
  commitCorpus,
  documentsOf,
  generationsGround,
  keysOf,
  type GenerationsGround,
} from '../../support/generations.ts';

let ground: GenerationsGround;
const pools: Sql[] = [];
beforeAll(async () => (ground = await generationsGround()));
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end({ timeout: 0 })));
  await ground.close();
});

/** Of so many connections and no more: what holds one and asks for too many others waits for ever. */
function poolOf(max: number): Sql {
  const pool = connect(ground.databases.dataUrl, { name: 'holdfast-test-small', max });
  pools.push(pool);
  return pool;
}

/** More than a page of what is read by a cursor, which otherwise is read to its end at once. */
const corpus = { 'a.md': Array.from({ length: 2_100 }, (_, at) => `alpha ${at}`) };

test('G9 removing needs one connection at a time: waves that remove at once do not wait for each other for ever', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: corpus });
  const { ref } = await beginWave(ground, project);
  const writer = createGenerationWriter({ sql: poolOf(1), qdrant: ground.qdrant });
  await expect(writer.remove(ref, keysOf(project, ['a.md']))).resolves.toEqual({ died: 2_100 });
}, 60_000);

test('G3 proofs that all have to repair share a pool that is smaller than what they could use', async () => {
  const refs = [];
  for (let at = 0; at < 3; at += 1) {
    const project = await ground.project();
    const { ref } = await beginWave(ground, project);
    // Rows are there, and not one point.
    const write = ground.writer.write(ref, documentsOf(project, corpus), { holds: async () => false });
    await expect(write).rejects.toMatchObject({ type: 'LockLost' });
    refs.push(ref);
  }
  const { prove } = createProof({ sql: poolOf(5), qdrant: ground.qdrant });
  const proofs = await Promise.all(refs.map((ref) => prove(ref)));
  expect(proofs).toMatchObject(refs.map(() => ({ ok: true, detail: { born: 2_100, repaired: 2_100 } })));
}, 60_000);

test('G3 G6 what is collected while a wave is proved is no difference between the stores', async () => {
  const project = await ground.project();
  for (const word of ['one', 'two', 'three', 'four', 'five'])
    await commitCorpus(ground, project, { put: { 'a.md': [`alpha ${word}`], 'b.md': [`beta ${word}`] } });
  const { ref } = await beginWave(ground, project);
  const late = ground.writer.write(ref, documentsOf(project, { 'c.md': ['gamma'] }), { holds: async () => false });
  await expect(late).rejects.toMatchObject({ type: 'LockLost' });
  const { incarnation } = ref;
  // A collection that goes on for longer than the proof: rows first, one at each request that the proof makes.
  const holds = async (): Promise<boolean> => {
    const floor = await ground.garbage.raiseFloor({ project, incarnation });
    await ground.sql`
      delete from chunks where id = (select id from chunks where project = ${project} and died <= ${floor} limit 1)`;
    return true;
  };
  await expect(ground.proof.prove(ref, { holds })).resolves.toMatchObject({ ok: true });
});
