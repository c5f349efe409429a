import { ApplicationFailure } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createEvaluationActivities } from '../../activities/evaluation.ts';
import { createEvaluationStore } from '../../adapters/postgres/evaluations.ts';
import { createPinStore } from '../../adapters/postgres/pins.ts';
import { createProjectStore } from '../../adapters/postgres/projects.ts';
import { createQuestionSetStore } from '../../adapters/postgres/question-sets.ts';
import { createSearch, embedderAmong } from '../../adapters/search/search.ts';
import { evaluationWorkflowId, scratchProject, settingsOf, subjectOf } from '../../domain/evaluation/run.ts';
import { evaluationRequestSchema } from '../../domain/evaluation/schemas.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { createWorld, type World } from '../adapters/search/world.ts';
import { ownBox, runOnTemporal } from '../support/on-temporal.ts';

let world: World;
beforeAll(async () => (world = await createWorld()));
afterAll(() => world.close());

const beir = join(packageRoot, 'tests/data/questions/beir');

async function runs(over: object = {}) {
  const { data: sql, ops } = world.databases;
  const { qdrant, embedder } = world;
  const evaluations = createEvaluationStore(ops);
  const held: string[] = [];
  const real = createEvaluationActivities({
    ...{ sql, qdrant, embeddings: embedder, evaluations },
    search: createSearch({ sql, qdrant, embedderOf: embedderAmong(embedder) }),
    projects: createProjectStore(sql),
    questionSets: createQuestionSetStore(sql),
    pins: createPinStore({ data: sql, ops }),
  });
  const activities = {
    ...real,
    takeLocks: async (wishes: readonly { resource: string }[]) => {
      held.push(...wishes.map(({ resource }) => resource));
      return [{ resource: 'data', token: '1' }];
    },
    releaseLocks: async () => void held.pop(),
    ...over,
  };
  const request = evaluationRequestSchema.parse({ folder: beir });
  const evaluation_id = randomUUID();
  const { subject, question_set } = subjectOf(request);
  const settings = settingsOf(request);
  await evaluations.open({
    ...{ id: evaluation_id, subject, question_set, settings, actor: 'tester' },
    project: null,
    generation: null,
  });
  const input = { evaluation_id, box: ownBox, actor: 'tester', subject, request };
  const workflowId = evaluationWorkflowId(`${subject}/${evaluation_id}`);
  await runOnTemporal({ type: 'evaluation', workflowId, input, activities });
  const projects = await sql`select 1 from projects where id = ${scratchProject(evaluation_id)}`;
  return { found: await evaluations.find(evaluation_id), held, scratch: projects.length };
}

test('C9 an evaluation is measured and kept; its lock and what it wrote are gone', async () => {
  const { found, held, scratch } = await runs();
  expect(found?.result).toMatchObject({ state: 'done', documents: 9, questions: 5 });
  expect([held, scratch]).toEqual([[], 0]);
});

test('C9 one that cannot be measured says why, and leaves nothing either', async () => {
  const evaluate = () => Promise.reject(ApplicationFailure.nonRetryable('it has no qrels', 'CollectionUnreadable'));
  const { found, held, scratch } = await runs({ evaluate });
  expect(found?.result).toMatchObject({ state: 'failed', reason: 'CollectionUnreadable: it has no qrels (evaluate)' });
  expect([held, scratch]).toEqual([[], 0]);
});
