import { countTerms } from '../../../adapters/postgres/term-counts.ts';
import { termHash } from '../../../domain/lexical/terms.ts';
import {
  beginWave,
  collectAll,
  commitCorpus,
  documentsOf,
  generationsGround,
  keysOf,
  sweepAll,
  type GenerationsGround,
} from '../../support/generations.ts';

let ground: GenerationsGround;
beforeAll(async () => (ground = await generationsGround()));
afterAll(() => ground.close());

const first = { 'a.md': ['red green', 'red blue'], 'b.md': ['blue'] };

async function counted(project: string, generation: number): Promise<Record<string, number>> {
  const rows = await ground.sql<{ term: string; chunks: string }[]>`
    select term, chunks from term_counts where project = ${project} and born <= ${generation} and died > ${generation}`;
  return Object.fromEntries(rows.map(({ term, chunks }) => [term, Number(chunks)]));
}

/** Out of the chunks themselves. */
async function actual(project: string, generation: number): Promise<Record<string, number>> {
  const rows = await ground.sql<{ term: string; chunks: string }[]>`
    select term, count(*) as chunks from (select unnest(terms) as term from chunks
      where project = ${project} and born <= ${generation} and died > ${generation}) t group by term`;
  return Object.fromEntries(rows.map(({ term, chunks }) => [term, Number(chunks)]));
}

test('G10 the statistics of each generation are its own, and those of others change nothing', async () => {
  const [project, other] = [await ground.project(), await ground.project()];
  await commitCorpus(ground, project, { put: first });
  const one = await counted(project, 1);
  expect(one).toEqual({ [termHash('red')]: 2, [termHash('green')]: 1, [termHash('blue')]: 2 });
  await commitCorpus(ground, other, { put: { 'x.md': ['red red red', 'red'] } });
  await commitCorpus(ground, project, { put: { 'a.md': ['red green', 'yellow'] }, remove: ['b.md'] });
  await expect(counted(project, 1)).resolves.toEqual(one);
  for (const generation of [1, 2]) {
    await expect(counted(project, generation)).resolves.toEqual(await actual(project, generation));
  }
  expect(Object.keys(await counted(project, 2))).not.toContain(String(termHash('blue')));
});

test('G10 counted again, in part or twice at once, it is the same', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: first });
  const { ref } = await beginWave(ground, project);
  await ground.writer.write(ref, documentsOf(project, { 'c.md': ['red'] }));
  await countTerms(ground.sql, ref);
  await ground.writer.remove(ref, keysOf(project, ['a.md']));
  await Promise.all([countTerms(ground.sql, ref), countTerms(ground.sql, ref)]);
  await countTerms(ground.sql, ref);
  await expect(counted(project, 2)).resolves.toEqual(await actual(project, 2));
  await expect(counted(project, 1)).resolves.toEqual(await actual(project, 1));
});

test('G10 G6 they are swept and collected like everything else', async () => {
  const project = await ground.project();
  await commitCorpus(ground, project, { put: first });
  await commitCorpus(ground, project, { put: { 'a.md': ['red'] } });
  await ground.generations.rollBack(project);
  await sweepAll(ground, project);
  await ground.generations.release(project);
  await expect(counted(project, 9)).resolves.toEqual(await actual(project, 1));
  await commitCorpus(ground, project, { put: { 'a.md': ['green'] } });
  await commitCorpus(ground, project, { put: { 'a.md': ['blue'] } });
  await collectAll(ground, project);
  for (const generation of [3, 4]) {
    await expect(counted(project, generation)).resolves.toEqual(await actual(project, generation));
  }
  const dead = await ground.sql`select 1 from term_counts where project = ${project} and died <= 3`;
  expect(dead).toHaveLength(0);
});
