import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { evaluationWorkflowId } from '../../domain/evaluation/run.ts';
import { evaluationSchema } from '../../domain/evaluation/schemas.ts';
import { searchAnswerSchema, type SearchAnswer } from '../../domain/search/schemas.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { createWorld, wordEmbedder, type World } from '../adapters/search/world.ts';
import { startApi, type TestApi } from './start-api.ts';

const embeddings = wordEmbedder();
// Under a name of its own: one evaluation of a subject at a time, whoever asks.
const folder = mkdtempSync(join(tmpdir(), 'holdfast-eval-'));
const beir = join(folder, basename(folder));
cpSync(join(packageRoot, 'tests/data/questions/beir'), beir, { recursive: true });
let api: TestApi;
let world: World;
const subjects: string[] = [];

beforeAll(async () => {
  api = await startApi({ embeddings });
  world = await createWorld(api.databases, embeddings);
  const { data } = api.databases;
  for (const [id, text] of [
    ['p04-gigabit', 'the gigabit switch is in the hall'],
    ['p05-garden', 'the garden switch is in the shed'],
  ] as const) {
    await world.project(id);
    await data`insert into project_names (name, project) values (${id}, ${id})`;
    await world.wave(id, [{ path: 'switch.md', chunks: [text] }]);
  }
  await data`insert into project_names (name, project) values ('gigabit lan', 'p04-gigabit')`;
});
afterAll(async () => {
  const { workflow } = api.temporal.client;
  await Promise.allSettled(subjects.map((subject) => workflow.getHandle(evaluationWorkflowId(subject)).terminate()));
  await world.close();
  await api.close();
  rmSync(folder, { recursive: true });
});

async function search(body: object): Promise<SearchAnswer> {
  const reply = await api.ask('POST', '/v1/search', { body, token: api.tokens.viewer });
  expect([reply.status, reply.text]).toEqual([200, reply.text]);
  return searchAnswerSchema.parse(reply.body);
}

describe('search', () => {
  test('C8 the answer echoes project and resolved_by, and the generation it was given at', async () => {
    const { hits, projects, degraded } = await search({ query: 'where is the switch', projects: ['Gigabit LAN'] });
    expect(projects).toMatchObject([
      { project: 'p04-gigabit', asked: 'Gigabit LAN', resolved_by: 'alias', generation: 1 },
    ]);
    expect(hits).toMatchObject([{ project: 'p04-gigabit', resolved_by: 'alias', path: 'switch.md', generation: 1 }]);
    expect(degraded).toEqual([]);
  });

  test('C8 a project that is not named is not searched; one that is named twice is searched once', async () => {
    const one = await search({ query: 'switch in the shed', projects: ['p04-gigabit', 'gigabit lan'] });
    expect(one.hits.map(({ project }) => project)).toEqual(['p04-gigabit']);
    const both = await search({ query: 'switch in the shed', projects: ['p04-gigabit', 'p05-garden'] });
    expect(both.hits.map(({ project }) => project)).toEqual(['p05-garden', 'p04-gigabit']);
  });

  test('C8 an unknown project is a 404 that names it, never a search of the rest', async () => {
    const reply = await api.ask('POST', '/v1/search', { body: { query: 'x', projects: ['p04-gigabit', 'p99'] } });
    expect([reply.status, reply.body.detail]).toEqual([404, 'No project has the name p99.']);
  });

  test.each([
    ['no project', { query: 'x', projects: [] }, 'projects'],
    ['projects left out, which never means all', { query: 'x' }, 'projects'],
    ['an empty question', { query: '  ', projects: ['p04-gigabit'] }, 'query'],
    [
      'a generation of two projects',
      { query: 'x', projects: ['p04-gigabit', 'p05-garden'], generation: 1 },
      'generation',
    ],
    ['more than there may be', { query: 'x', projects: ['p04-gigabit'], limit: 101 }, 'limit'],
  ])('C8 %s is refused', async (_what, body, path) => {
    const reply = await api.ask('POST', '/v1/search', { body });
    expect([reply.status, reply.body.errors.map((error) => error.path)]).toEqual([400, [path]]);
  });

  test('G8 a generation that cannot be answered at is a 404 that says why', async () => {
    const body = { query: 'switch', projects: ['p04-gigabit'], generation: 7 };
    const reply = await api.ask('POST', '/v1/search', { body });
    expect([reply.status, reply.body.detail]).toEqual([
      404,
      'p04-gigabit cannot be answered at generation 7: it was never begun.',
    ]);
  });
});

describe('evaluations', () => {
  const start = (body: object, token = api.tokens.operator) => api.ask('POST', '/v1/evaluations', { body, token });

  test('C9 an evaluation of a question set is started, shown and listed; a second one of the same is busy', async () => {
    const questions = [{ id: 'switch', query: 'where is the switch', relevant: [{ path: 'switch.md' }] }];
    await api.ask('PUT', '/v1/projects/p04-gigabit/question_sets/canary', { body: { questions } });
    const body = { project: 'gigabit lan', question_set: 'canary' };
    const reply = await start(body);
    expect(reply.status).toBe(202);
    const evaluation = evaluationSchema.parse(reply.body);
    subjects.push(evaluation.subject);
    expect(evaluation).toMatchObject({
      subject: 'project/p04-gigabit/canary',
      project: 'p04-gigabit',
      actor: 'operator',
    });
    expect(evaluation.result.state).toBe('running');

    const shown = await api.ask('GET', `/v1/evaluations/${evaluation.id}`);
    expect(evaluationSchema.parse(shown.body)).toEqual(evaluation);
    const busy = await start(body);
    expect([busy.status, busy.body.next]).toEqual([409, 'holdfast evals list --subject project/p04-gigabit/canary']);
    const listed = await api.ask('GET', '/v1/evaluations?subject=project/p04-gigabit/canary');
    // The second one is told too, as one that never ran.
    expect(listed.body.items).toHaveLength(2);
  });

  test('C9 what is not there is a 404, before anything is started', async () => {
    for (const body of [
      { project: 'p99', question_set: 'canary' },
      { project: 'p04-gigabit', question_set: 'nothing' },
      { project: 'p04-gigabit', question_set: 'canary', against: ['p99'] },
    ])
      expect((await start(body)).status).toBe(404);
    expect((await api.ask('GET', '/v1/evaluations/00000000-0000-4000-8000-000000000000')).status).toBe(404);
  });

  test('C9 a folder outside of the source roots is for administrators only', async () => {
    const refused = await start({ folder: beir });
    expect([refused.status, refused.body.errors.map(({ path }) => path)]).toEqual([400, ['folder']]);
    const missing = await start({ folder: join(api.home, 'sources', 'nothing') });
    expect([missing.status, missing.body.detail]).toEqual([400, 'folder: missing']);
    const own = join(api.home, 'sources', `own-${basename(folder)}`);
    mkdirSync(own, { recursive: true });
    for (const [folder, token] of [
      [beir, api.tokens.admin],
      [own, api.tokens.operator],
    ] as const) {
      const reply = await start({ folder }, token);
      subjects.push(evaluationSchema.parse(reply.body).subject);
      expect(reply.status).toBe(202);
    }
    expect((await start({ folder: beir }, api.tokens.viewer)).status).toBe(403);
  });

  test('C9 neither or both of a folder and a project are refused', async () => {
    for (const body of [
      {},
      { project: 'p04-gigabit' },
      { folder: beir, project: 'p04-gigabit', question_set: 'canary' },
    ])
      expect((await start(body)).status).toBe(400);
  });
});
