import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { evaluate, pinOwner, type EvaluateDeps } from '../../../adapters/evaluation/evaluate.ts';
import { runCanary } from '../../../adapters/evaluation/canary.ts';
import { removeScratch } from '../../../adapters/evaluation/scratch.ts';
import { createLexicalOnly, type Embeddings } from '../../../adapters/embeddings/embedder.ts';
import { createEvaluationStore } from '../../../adapters/postgres/evaluations.ts';
import { createPinStore } from '../../../adapters/postgres/pins.ts';
import { createProjectStore } from '../../../adapters/postgres/projects.ts';
import { createQuestionSetStore } from '../../../adapters/postgres/question-sets.ts';
import { createSearch, embedderAmong } from '../../../adapters/search/search.ts';
import { settingsOf, subjectOf } from '../../../domain/evaluation/run.ts';
import { evaluationRequestSchema } from '../../../domain/evaluation/schemas.ts';
import { collectionName } from '../../../domain/generation/ids.ts';
import { lexicalVersion } from '../../../domain/lexical/terms.ts';
import { questionsSchema } from '../../../domain/project/question-set.ts';
import { packageRoot } from '../../../infra/package-root.ts';
import { createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => (world = await createWorld()));
afterAll(async () => {
  // Collections are named by their model, and that of no model is everybody's: what is in them goes, then what is ours.
  for (const id of evaluations) await removeScratch(depsOf(), id);
  await world.qdrant.deleteCollection(collectionName(world.embedder.key, lexicalVersion));
  await world.close();
});
const evaluations: string[] = [];

const beir = join(packageRoot, 'tests/data/questions/beir');

function depsOf(embeddings: Embeddings = world.embedder): EvaluateDeps {
  const { data: sql, ops } = world.databases;
  return {
    ...{ sql, qdrant: world.qdrant, embeddings },
    search: createSearch({ sql, qdrant: world.qdrant, embedderOf: embedderAmong(embeddings) }),
    projects: createProjectStore(sql),
    questionSets: createQuestionSetStore(sql),
    pins: createPinStore({ data: sql, ops }),
    evaluations: createEvaluationStore(ops),
  };
}

async function run(given: object, deps = depsOf()) {
  const request = evaluationRequestSchema.parse(given);
  const evaluation_id = randomUUID();
  evaluations.push(evaluation_id);
  const store = createEvaluationStore(world.databases.ops);
  const { project = null } = request;
  const settings = settingsOf(request);
  const { subject, question_set } = subjectOf(request);
  await store.open({
    id: evaluation_id,
    subject,
    project,
    generation: null,
    question_set,
    settings,
    actor: 'tester',
  });
  const beats: unknown[] = [];
  const signal = new AbortController().signal;
  await evaluate(
    deps,
    { evaluation_id, box: 'here', actor: 'tester', subject, request },
    { signal, beat: (progress) => beats.push(progress) },
  );
  const found = await store.find(evaluation_id);
  if (found === null) throw new Error('it was not kept');
  return { evaluation_id, beats, ...found };
}

const rowsOf = async (project: string) => {
  const { data: sql } = world.databases;
  const counts = await Promise.all(
    ['projects', 'generations', 'documents', 'chunks', 'term_counts'].map(async (table) => {
      const column = table === 'projects' ? 'id' : 'project';
      const [row] = await sql<
        { n: number }[]
      >`select count(*)::int as n from ${sql(table)} where ${sql(column)} = ${project}`;
      return [table, row?.n ?? -1] as const;
    }),
  );
  return Object.fromEntries(counts);
};

describe('C9 a public collection', () => {
  test('C9 is read in, measured by each ranker on all, odd and even questions, and taken away again', async () => {
    const { evaluation_id, result, generation, beats } = await run({ folder: beir });
    expect(result).toMatchObject({
      state: 'done',
      documents: 9,
      questions: 5,
      identity: world.embedder.key,
      leaks: [],
      degraded: [],
      since: null,
    });
    expect(generation).toBe(1);
    expect(result.table.map(({ part, ranker, questions }) => `${part} ${ranker} ${questions}`)).toEqual([
      ...['all bm25 5', 'all dense 5', 'all fused 5'],
      ...['odd bm25 3', 'odd dense 3', 'odd fused 3', 'even bm25 2', 'even dense 2', 'even fused 2'],
    ]);
    expect(result.table.find(({ part, ranker }) => part === 'all' && ranker === 'fused')?.scores.recall_at_10).toBe(1);
    expect(result.tests).toHaveLength(6);
    expect(beats.at(-1)).toEqual({ documents: 9, questions: 5 });

    const scratch = `scratch-${evaluation_id.slice(0, 13)}`;
    expect(await rowsOf(scratch)).toMatchObject({ projects: 1, documents: 9 });
    await removeScratch(depsOf(), evaluation_id);
    expect(await rowsOf(scratch)).toEqual({ projects: 0, generations: 0, documents: 0, chunks: 0, term_counts: 0 });
    await removeScratch(depsOf(), evaluation_id);
  });

  test('C9 the second time nothing is embedded again, the figures are the same, and it is compared with the first', async () => {
    let embedded = 0;
    const counting = {
      ...world.embedder,
      embed: (texts: readonly string[], kind: 'passage' | 'query', signal: AbortSignal) => {
        if (kind === 'passage') embedded += texts.length;
        return world.embedder.embed(texts, kind, signal);
      },
    };
    const first = await run({ folder: beir }, depsOf(counting));
    embedded = 0;
    const second = await run({ folder: beir }, depsOf(counting));
    expect(embedded).toBe(0);
    expect(second.result.table).toEqual(first.result.table);
    expect(second.result.answered).toEqual(first.result.answered);
    expect(second.result.since).toMatchObject({
      evaluation: first.evaluation_id,
      difference: 0,
      questions: 5,
      randomised_p: 1,
    });
  });

  test('C9 kept, it can be searched by its id; until then nobody can name it', async () => {
    const projects = createProjectStore(world.databases.data);
    const gone = await run({ folder: beir });
    expect(await projects.resolve(`scratch-${gone.evaluation_id.slice(0, 13)}`)).toBeNull();
    const { result } = await run({ folder: beir, keep: true });
    const kept = result.kept_project ?? '';
    expect(await projects.resolve(kept)).toEqual({ project: kept, resolved_by: 'id' });
    const { hits } = await world.search({ query: 'rye bread', projects: [kept] });
    expect(hits[0]).toMatchObject({ path: 'bread', title: 'Rye bread' });
  });

  test('C9 without a model BM25 alone is measured, and that is said', async () => {
    const { result } = await run({ folder: beir }, depsOf(createLexicalOnly('a test')));
    expect(result.table.map(({ part, ranker }) => `${part} ${ranker}`)).toEqual([
      ...['all bm25', 'all fused', 'odd bm25', 'odd fused', 'even bm25', 'even fused'],
    ]);
    expect(result.degraded).toEqual([expect.stringContaining('lexical_only')]);
  });

  test('C9 a model that goes away in the middle is no worse ranking: the attempt fails, and another one goes on', async () => {
    const breaking = {
      ...world.embedder,
      embed: (texts: readonly string[], kind: 'passage' | 'query', signal: AbortSignal) =>
        kind === 'query' ? Promise.reject(new Error('gone')) : world.embedder.embed(texts, kind, signal),
    };
    await expect(run({ folder: beir }, depsOf(breaking))).rejects.toThrow('embedder_unavailable');
  });
});

describe('C9 a question set of a project', () => {
  const questions = questionsSchema.parse([
    { id: 'boat', query: 'where is the boat', relevant: [{ path: 'boat.md' }] },
    {
      id: 'key',
      query: 'which key opens the cellar',
      relevant: [{ path: 'keys.md', source: 'notes', grade: 2 }, { path: 'cellar.md' }],
    },
  ]);
  const docs = [
    { path: 'boat.md', chunks: ['The boat is in the harbour behind the red crane.'] },
    { path: 'keys.md', chunks: ['The green key opens the cellar.'] },
    { path: 'cellar.md', chunks: ['Potatoes are in the cellar.'] },
  ];

  async function projectWithQuestions(id: string): Promise<string> {
    await world.project(id);
    await world.databases.data`insert into project_names (name, project) values (${id}, ${id})`;
    await createQuestionSetStore(world.databases.data).put({ project: id, name: 'canary', questions }, 'tester');
    return id;
  }

  test('C9 is measured at what is visible, or at a generation that is still there, which is held meanwhile', async () => {
    const id = await projectWithQuestions('p50-questions');
    await world.wave(id, docs);
    await world.wave(id, [], { removed: ['boat.md'] });
    const before = await run({ project: id, question_set: 'canary', generation: 1 });
    const now = await run({ project: id, question_set: 'canary' });
    expect([before.generation, now.generation]).toEqual([1, 2]);
    const recall = ({ result }: typeof now) =>
      result.table.find(({ part, ranker }) => part === 'all' && ranker === 'fused')?.scores.recall_at_10;
    expect([recall(before), recall(now)]).toEqual([1, 0.5]);
    expect(now.result.since?.evaluation).toBe(before.evaluation_id);
    const pins = createPinStore({ data: world.databases.data, ops: world.databases.ops });
    expect((await pins.list(id)).map(({ owner }) => owner)).toContain(pinOwner(now.evaluation_id));
    await expect(run({ project: id, question_set: 'canary', generation: 7 })).rejects.toMatchObject({
      type: 'GenerationUnknown',
    });
    await expect(run({ project: id, question_set: 'nothing' })).rejects.toMatchObject({ type: 'QuestionSetUnknown' });
    await expect(run({ project: 'nobody', question_set: 'canary' })).rejects.toMatchObject({ type: 'ProjectUnknown' });
  });

  test('C9 competition: how much of the answers projects take that are asked as well; none of it is a leak', async () => {
    const [id, rival] = [await projectWithQuestions('p51-own'), await projectWithQuestions('p52-rival')];
    await world.wave(id, docs);
    await world.wave(rival, docs);
    const { result } = await run({ project: id, question_set: 'canary', against: [rival] });
    expect(result.leaks).toEqual([]);
    expect(result.own_share).toBeCloseTo(0.5, 6);
    expect(result.ambiguity).toBeCloseTo(1, 6);
    expect(result.bounds).toEqual([]);
  });

  test('C9 the policy of the project says how much ambiguity there may be, and what a question forbids is a leak', async () => {
    const [id, rival] = [await projectWithQuestions('p55-bounds'), await projectWithQuestions('p56-rival')];
    const { data } = world.databases;
    const policy = { evaluation: { max_ambiguity: 0.5, min_own_share: 0.4 } };
    await data`update projects set spec = spec || ${data.json({ policy })} where id = ${id}`;
    const forbidding = questions.map((question) => ({ ...question, forbidden: ['Green Key'] }));
    await createQuestionSetStore(data).put({ project: id, name: 'canary', questions: forbidding }, 'tester');
    await world.wave(id, docs);
    await world.wave(rival, docs);
    const { result } = await run({ project: id, question_set: 'canary', against: [rival] });
    expect(result.bounds.map(({ name, ok }) => `${name} ${ok}`)).toEqual(['max_ambiguity false', 'min_own_share true']);
    expect(new Set(result.leaks.map(({ project, term }) => `${project} ${term}`))).toEqual(
      new Set([`${id} Green Key`, `${rival} Green Key`]),
    );
  });

  test('W7 canaries at the unseen generation: what a wave loses is found before anybody sees it', async () => {
    const id = await projectWithQuestions('p53-canary');
    await world.wave(id, docs);
    const worse = await world.wave(id, [], { removed: ['boat.md'], end: 'proved' });
    const { search } = depsOf();
    const bound = { metric: 'recall_at_10', max_drop: 0.1, least: 0 } as const;
    const asked = { search, project: id, questions, bound, signal: new AbortController().signal };
    const verdict = await runCanary({ ...asked, generation: worse.number, visible: 1 });
    expect(verdict).toMatchObject({
      ok: false,
      asked: 2,
      worse: [{ question: 'boat', before: 1, after: 0 }],
      leaks: [],
    });
    await world.databases
      .data`update generations set state = 'discarded' where project = ${id} and number = ${worse.number}`;
    await expect(runCanary({ ...asked, generation: worse.number, visible: 1 })).rejects.toThrow('discarded');
  });

  test('W7 a canary that cannot be asked is no verdict', async () => {
    const id = await projectWithQuestions('p54-away');
    const ref = await world.wave(id, docs, { end: 'proved' });
    const { data: sql } = world.databases;
    const search = createSearch({ sql, qdrant: world.qdrant, embedderOf: () => null });
    const bound = { metric: 'mrr', max_drop: 0, least: 0 } as const;
    const asked = { search, project: id, questions, bound, signal: new AbortController().signal };
    await expect(runCanary({ ...asked, generation: ref.number, visible: 0 })).rejects.toThrow('embedder_unavailable');
  });
});
