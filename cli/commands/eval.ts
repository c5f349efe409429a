import type { Command } from 'commander';
import type { Evaluation } from '../../domain/evaluation/schemas.ts';
import { leaf, number, runs, several, waitOptions, waits, type Context } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';

interface EvalOptions {
  readonly questions?: string;
  readonly generation?: number;
  readonly against?: readonly string[];
  readonly split?: string;
  readonly keep?: boolean;
  readonly k?: number;
  readonly depth?: number;
  readonly seed?: number;
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: number;
}

/** How often a run is asked how far it is. */
const askEveryMs = 500;

export function evalCommands(program: Command): void {
  const start = leaf(
    program,
    'eval <what>',
    'measures retrieval: a folder (BEIR, Cranfield), or a project with --questions',
  );
  waitOptions(start)
    .option('--questions <name>', 'a question set of the project')
    .option('--generation <n>', 'of the project; default: what is visible', number(1, Number.MAX_SAFE_INTEGER))
    .option('--against <project>', 'asked as well, may be repeated: how much of the answers does it take?', several)
    .option('--split <name>', 'of a BEIR folder: which of its qrels; default: test')
    .option('--keep', 'keep the project that a folder is read into, to search it')
    .option('--k <n>', 'of the fusion', number(1, 1_000))
    .option('--depth <n>', 'how many candidates each arm gives', number(10, 1_000))
    .option('--seed <n>', 'of the randomisation test', number(0, 4_294_967_295))
    .action(runs((context, what: string, options: EvalOptions) => startEvaluation(context, what, options)));

  const evals = program.command('evals').description('evaluations that were, and that go on');
  leaf(evals, 'list', 'newest first')
    .option('--subject <subject>', 'collection/<name> or project/<id>/<question set>')
    .option('--limit <n>', 'how many at the most', number(1, 200), 20)
    .action(runs(listEvaluations));
  leaf(evals, 'show <id>', 'one evaluation as a table').action(
    runs(async (context, id: string) => conclude(context, await find(context, id))),
  );
}

async function startEvaluation(context: Context, what: string, options: EvalOptions): Promise<ExitCode | undefined> {
  const { api, out } = context;
  const { evaluationRequestSchema, evaluationSchema } = await import('../../domain/evaluation/schemas.ts');
  const { usageError } = await import('../cli-error.ts');
  const request = evaluationRequestSchema.safeParse(await requestOf(what, options));
  if (!request.success)
    throw usageError(request.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; '));
  const evaluation = await api.post('/v1/evaluations', request.data, evaluationSchema);
  if (waits(out.interactive, options)) return follow(context, evaluation.id, options.timeout ?? null);
  out.data(evaluation, [evaluation.id]);
  out.message(`next: ${comeBack(evaluation.id)}`);
  return undefined;
}

/** With --questions it is a project, else a folder of the machine that answers, which is usually this one. */
async function requestOf(what: string, options: EvalOptions): Promise<Record<string, unknown>> {
  const { questions, generation, against, split, keep, k, depth, seed } = options;
  const rest = Object.entries({ generation, against, split, keep, k, depth, seed }).filter(
    ([, value]) => value !== undefined,
  );
  const path = await import('node:path');
  const of = questions === undefined ? { folder: path.resolve(what) } : { project: what, question_set: questions };
  return { ...of, ...Object.fromEntries(rest) };
}

async function follow(context: Context, id: string, timeoutMs: number | null): Promise<ExitCode> {
  const { setTimeout: sleep } = await import('node:timers/promises');
  const { waitFor } = await import('../waiting.ts');
  const { out } = context;
  let told = '';
  return waitFor(out, { what: `evaluation ${id}`, comeBack: comeBack(id) }, timeoutMs, async (left) => {
    for (;;) {
      const evaluation = await find(context, id, left);
      if (evaluation.result.state !== 'running') return conclude(context, evaluation);
      const { documents, questions } = evaluation.result.progress;
      const now = `${documents} documents, ${questions} questions`;
      if (now !== told) out.message(`  ${now}`);
      told = now;
      await sleep(askEveryMs, null, { signal: left });
    }
  });
}

async function find({ api }: Context, id: string, signal?: AbortSignal): Promise<Evaluation> {
  const { evaluationSchema } = await import('../../domain/evaluation/schemas.ts');
  return api.get(`/v1/evaluations/${encodeURIComponent(id)}`, evaluationSchema, signal);
}

async function conclude({ out }: Context, evaluation: Evaluation): Promise<ExitCode> {
  const { evaluationLines } = await import('../evaluation-lines.ts');
  const { state, reason, leaks, bounds, degraded } = evaluation.result;
  out.data(evaluation, evaluationLines(evaluation));
  if (state === 'failed') {
    out.message(`holdfast: the evaluation failed: ${reason ?? 'nobody knows why'}`);
    out.message('next: holdfast doctor');
    return exitCodes.failed;
  }
  if (leaks.length > 0 || bounds.some(({ ok }) => !ok)) return exitCodes.finding;
  return degraded.length > 0 ? exitCodes.partial : exitCodes.ok;
}

async function listEvaluations(
  { api, out }: Context,
  { subject, limit }: { subject?: string; limit: number },
): Promise<undefined> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { evaluationSchema } = await import('../../domain/evaluation/schemas.ts');
  const { table } = await import('../output.ts');
  const query = new URLSearchParams({ limit: String(limit), ...(subject === undefined ? {} : { subject }) });
  const page = await api.get(`/v1/evaluations?${query.toString()}`, pageOf(evaluationSchema, 'EvaluationPage'));
  const rows = page.items.map(({ id, subject: of, at, generation, result }) => {
    const best = result.table.find(({ part, ranker }) => part === 'all' && ranker === 'fused');
    const ndcg = best === undefined ? '-' : best.scores.ndcg_at_10.toFixed(3);
    return [id, of, at, String(generation ?? '-'), result.state, ndcg];
  });
  out.data(page, table(['evaluation', 'subject', 'at', 'generation', 'state', 'nDCG@10'], rows));
  return undefined;
}

function comeBack(id: string): string {
  return `holdfast evals show ${id}`;
}
