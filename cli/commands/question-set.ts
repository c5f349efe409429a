import type { Command } from 'commander';
import { leaf, runs, type Context } from '../command.ts';

export function questionSetCommands(program: Command): void {
  const set = program.command('question-set').description('questions of a project, and what answers them');
  leaf(set, 'put <project> <name>', 'stores one, whole')
    .requiredOption('--file <path>', 'its questions as a JSON array; - for standard input')
    .action(runs(put));
  leaf(set, 'list <project>', 'all of a project').action(runs(list));
  leaf(set, 'show <project> <name>', 'one with its questions').action(runs(show));
}

async function put(
  { api, out }: Context,
  project: string,
  name: string,
  { file }: { file: string },
): Promise<undefined> {
  const { questionSetSchema } = await import('../../domain/project/question-set.ts');
  const { readJson } = await import('../json-file.ts');
  const given = await readJson(file);
  const body = Array.isArray(given) ? { questions: given } : given;
  const stored = await api.put(`${pathOf(project)}/${encodeURIComponent(name)}`, body, questionSetSchema);
  out.data(stored, [`${stored.project}/${name}: ${stored.questions.length} questions`]);
  return undefined;
}

async function list({ api, out }: Context, project: string): Promise<undefined> {
  const { questionSetsSchema } = await import('../../domain/project/question-set.ts');
  const { table } = await import('../output.ts');
  const page = await api.get(pathOf(project), questionSetsSchema);
  const rows = page.items.map(({ name, questions, updated_at }) => [name, String(questions), updated_at]);
  out.data(page, table(['question set', 'questions', 'changed'], rows));
  return undefined;
}

async function show({ api, out }: Context, project: string, name: string): Promise<undefined> {
  const { questionSetSchema } = await import('../../domain/project/question-set.ts');
  const { table } = await import('../output.ts');
  const shown = await api.get(`${pathOf(project)}/${encodeURIComponent(name)}`, questionSetSchema);
  const rows = shown.questions.map(({ id, query, relevant }) => [
    id,
    query,
    relevant.map(({ path }) => path).join(', '),
  ]);
  out.data(shown, table(['id', 'question', 'answered by'], rows));
  return undefined;
}

function pathOf(project: string): string {
  return `/v1/projects/${encodeURIComponent(project)}/question_sets`;
}
