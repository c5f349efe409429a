import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createEvaluationStore } from '../../adapters/postgres/evaluations.ts';
import { evaluationWorkflowId } from '../../domain/evaluation/run.ts';
import { emptyEvaluation, evaluationSchema, type EvaluationResult } from '../../domain/evaluation/schemas.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { startApiCli, type ApiCli } from './api-cli.ts';
import { answerOf } from './run-cli.ts';

let bench: ApiCli;
beforeAll(async () => (bench = await startApiCli()));
afterAll(async () => {
  const { workflow } = bench.api.temporal.client;
  for (const subject of [name, other])
    await workflow.getHandle(evaluationWorkflowId(`collection/${subject}`)).terminate();
  await bench.close();
  rmSync(folder, { recursive: true });
});

const cli = (...args: string[]) => bench.cli.run(args);
// Under names of their own: one evaluation of a subject at a time, whoever asks.
const folder = mkdtempSync(join(tmpdir(), 'holdfast-eval-'));
const [name, other] = [basename(folder), `${basename(folder)}-cran`];
const [beir, cranfield] = [join(folder, name), join(folder, other)];
cpSync(join(packageRoot, 'tests/data/questions/beir'), beir, { recursive: true });
cpSync(join(packageRoot, 'tests/data/questions/cranfield'), cranfield, { recursive: true });

const scores = (ndcg_at_10: number) => ({ ndcg_at_10, recall_at_10: 0.5, recall_at_100: 0.75, mrr: 0.25 });
const done: Partial<EvaluationResult> = {
  state: 'done',
  ...{ identity: 'words', documents: 9, chunks: 12, questions: 5 },
  table: [{ part: 'even', ranker: 'fused', questions: 2, scores: scores(0.4321) }],
  tests: [
    {
      ...{ part: 'even', first: 'fused', second: 'dense', score: 'ndcg_at_10', questions: 2, difference: 0.0123 },
      ...{ t: 2.5, t_p: 0.01, randomised_p: 0.02, rounds: 10_000, seed: 1 },
    },
  ],
};

async function written(result: Partial<EvaluationResult>): Promise<string> {
  const store = createEvaluationStore(bench.api.databases.ops);
  const id = crypto.randomUUID();
  const { against, keep, k, depth, seed } = { against: [], keep: false, k: 40, depth: 100, seed: 1 };
  await store.open({
    ...{ id, subject: 'collection/cranfield', project: null, generation: 1, question_set: 'default', actor: 'tester' },
    settings: { against, keep, k, depth, seed },
  });
  await store.update(id, result);
  return id;
}

test('C9 off a terminal an evaluation is started and left, and says how to come back', async () => {
  const end = await cli('eval', beir);
  const id = end.stdout.trim();
  expect([end.exitCode, end.stderr]).toEqual([0, `next: holdfast evals show ${id}\n`]);
  expect(evaluationSchema.parse(answerOf(await cli('evals', 'show', id, '--json'))).subject).toBe(`collection/${name}`);
  expect((await cli('evals', 'show', id)).stdout).toContain('under way');
  const busy = await cli('eval', beir);
  expect([busy.exitCode, busy.stderr.includes(`next: holdfast evals list --subject collection/${name}`)]).toEqual([
    6,
    true,
  ]);
  const left = await cli('eval', '--wait', '--timeout', '1s', cranfield);
  expect([left.exitCode, left.stderr.includes('goes on')]).toEqual([7, true]);
});

test('C9 the table, whether it is more than chance, and what was degraded or leaked', async () => {
  const shown = await cli('evals', 'show', await written(done));
  expect(shown.exitCode).toBe(0);
  expect(shown.stdout).toContain(
    'collection/cranfield at generation 1: 9 documents, 12 chunks, 5 questions, embedded with words',
  );
  expect(shown.stdout).toMatch(/even +fused +2 +0\.4321 +0\.5000 +0\.7500 +0\.2500/);
  expect(shown.stdout).toContain('even: fused +0.0123 nDCG@10 against dense, randomisation p 0.0200, t 2.50 p 0.0100');
  expect((await cli('evals', 'show', await written({ ...done, degraded: ['p: lexical_only'] }))).exitCode).toBe(3);
  const leak = { question: 'q', project: 'p2', where: 'answer' as const };
  const leaked = await cli('evals', 'show', await written({ ...done, leaks: [leak] }));
  expect([leaked.exitCode, leaked.stdout.includes('leak: question q, p2, in the answer')]).toEqual([8, true]);
});

test('C9 a failed one is exit code 1 with its reason', async () => {
  const end = await cli('evals', 'show', await written({ ...emptyEvaluation(), state: 'failed', reason: 'no qrels' }));
  expect([end.exitCode, end.stderr.includes('no qrels')]).toEqual([1, true]);
});

test('C9 evaluations are listed by their subject, newest first', async () => {
  const id = await written({
    ...done,
    table: [{ part: 'all', ranker: 'fused', questions: 5, scores: scores(0.4444) }],
  });
  const [, first] = (await cli('evals', 'list', '--subject', 'collection/cranfield')).stdout.split('\n');
  expect(first).toContain(id);
  expect(first).toMatch(/done +0\.444$/);
});
