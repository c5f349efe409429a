import { randomUUID } from 'node:crypto';
import {
  beginWave,
  collectAll,
  commitCorpus,
  documentsOf,
  generationsGround,
  sweepAll,
  type GenerationsGround,
} from '../../support/generations.ts';

let ground: GenerationsGround;
beforeAll(async () => (ground = await generationsGround()));
afterAll(() => ground.close());
// What is unused is so for all projects alike.
beforeEach(() => ground.sql`truncate vectors, chunks, documents, term_counts`);

const vectors = async (): Promise<{ vectors: number; unused: number }> => {
  const [row] = await ground.sql<{ vectors: number; unused: number }[]>`
    select count(*)::int as vectors, count(unused_since)::int as unused from vectors`;
  return row ?? { vectors: -1, unused: -1 };
};

const letTimePass = () => ground.sql`update vectors set unused_since = unused_since - interval '31 days'`;

async function generations(...texts: readonly string[]): Promise<string> {
  const project = await ground.project();
  for (const text of texts) await commitCorpus(ground, project, { put: { 'a.md': [text], 'b.md': ['stays'] } });
  return project;
}

test('G6 a vector that no chunk has needed for thirty days goes; until then it is a cache', async () => {
  const project = await generations('one', 'two', 'three');
  await expect(vectors()).resolves.toEqual({ vectors: 4, unused: 0 });
  await collectAll(ground, project);
  await expect(vectors()).resolves.toEqual({ vectors: 4, unused: 1 });
  await collectAll(ground, project);
  await expect(vectors()).resolves.toEqual({ vectors: 4, unused: 1 });
  await letTimePass();
  await expect(collectAll(ground, project)).resolves.toBe('done');
  await expect(vectors()).resolves.toEqual({ vectors: 3, unused: 0 });
});

test('G6 what another project needs, or this one needs again, stays', async () => {
  const project = await generations('one', 'two', 'three');
  const other = await generations('one');
  await collectAll(ground, project);
  await letTimePass();
  await collectAll(ground, project);
  await expect(vectors()).resolves.toEqual({ vectors: 4, unused: 0 });
  // Of a wave that is discarded, and of the next one that writes the same.
  const { ref, wave_id } = await beginWave(ground, other);
  await ground.writer.write(ref, documentsOf(other, { 'c.md': ['new'] }));
  await ground.generations.discard(other, wave_id);
  await sweepAll(ground, other);
  await expect(vectors()).resolves.toEqual({ vectors: 5, unused: 1 });
  await letTimePass();
  const again = await beginWave(ground, other);
  await ground.writer.write(again.ref, documentsOf(other, { 'c.md': ['new'] }));
  await collectAll(ground, other);
  await expect(vectors()).resolves.toEqual({ vectors: 5, unused: 0 });
});

test('G6 a vector that is just being written again is not taken away under its writer', async () => {
  const project = await generations('one', 'two', 'three');
  await collectAll(ground, project);
  await letTimePass();
  const { ref } = await beginWave(ground, project);
  const also = async (): Promise<void> => {
    await collectAll(ground, project);
  };
  await ground.writer.write(ref, documentsOf(project, { 'c.md': ['one'] }), { also });
  await collectAll(ground, project);
  await expect(ground.proof.prove(ref)).resolves.toMatchObject({ ok: true });
  const [missing] = await ground.sql`
    select 1 from chunks c left join vectors v using (identity, embedded_sha256) where v.identity is null`;
  expect(missing).toBeUndefined();
});

test('G6 what a wave had to do is forgotten thirty days after it was closed, and not before', async () => {
  const project = await generations('one');
  const { ops } = ground.databases;
  const waves = { old: randomUUID(), young: randomUUID(), open: randomUUID() };
  for (const [name, id] of Object.entries(waves)) {
    const closed = name === 'open' ? null : new Date(Date.now() - (name === 'old' ? 31 : 29) * 86_400_000);
    await ops`
      insert into waves (id, project, name, kind, trigger, actor, request, result, workflow_id, closed_at)
      values (${id}, ${project}, 'refresh', 'corpus', 'operator', 'anna', '{}', '{}', ${`wave/${id}`}, ${closed})`;
    await ground.sql`
      insert into wave_items (wave_id, seq, project, source, path, change, document)
      values (${id}, 1, ${project}, 'docs', 'a.md', 'added', ${randomUUID()})`;
  }
  await collectAll(ground, project);
  const left = await ground.sql<{ wave_id: string }[]>`select wave_id from wave_items where project = ${project}`;
  expect(left.map(({ wave_id }) => wave_id).sort()).toEqual([waves.young, waves.open].sort());
});
