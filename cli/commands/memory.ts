import { InvalidArgumentError, type Command } from 'commander';
import type { Memory, MemorySearchAnswer } from '../../domain/memory/schemas.ts';
import { leaf, number, runs, several, type Context } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';

const types = 'identity, preference, project, episodic, knowledge or adaptation';

interface CreateOptions {
  readonly type: string;
  readonly project?: string;
  readonly from: string;
  readonly uri?: string;
  readonly reference?: string;
  readonly confidence?: number;
  readonly supersedes?: string;
  readonly expires?: string;
}

export function memoryCommands(program: Command): void {
  const memory = program.command('memory').description('what is to be remembered, with where it comes from');
  leaf(memory, 'create <text...>', 'remembers something')
    .requiredOption('--type <type>', types)
    .option('--project <name>', 'whose it is; default: of no project')
    .option('--from <kind>', 'where it comes from: person, agent, document or import', 'person')
    .option('--uri <uri>', 'where it can be read again')
    .option('--reference <text>', 'a session, a message, a run')
    .option('--confidence <n>', 'how sure it is, 0 to 1; default: 1', share)
    .option('--supersedes <id>', 'the memory whose place it takes')
    .option('--expires <date>', '2026-12-31T23:59:59Z; default: never')
    .action(runs((context, words: string[], options: CreateOptions) => create(context, words.join(' '), options)));
  leaf(memory, 'list', 'memories of a project, or of none, newest first')
    .option('--project <name>', 'of this project; default: of no project')
    .option('--type <type>', types)
    .option('--state <state>', 'only current, superseded or expired ones')
    .action(runs(list));
  leaf(memory, 'show <id>', 'one of them').action(runs(show));
  leaf(memory, 'search <query...>', 'memories of the named projects and of none, by meaning and by words')
    .option('--project <name>', 'an id or alias, may be repeated; no other project is searched', several)
    .option('--type <type>', `only ${types}; may be repeated`, several)
    .option('--limit <n>', 'how many at the most', number(1, 100), 10)
    .action(runs((context, words: string[], options: SearchOptions) => search(context, words.join(' '), options)));
  leaf(memory, 'forget <id>', 'takes it away for good; no restore brings it back')
    .option('--reason <text>', 'why; never what it said')
    .option('--confirm <id>', 'in scripts: the id again')
    .action(runs(forget));
}

async function create({ api, out }: Context, text: string, options: CreateOptions): Promise<ExitCode | undefined> {
  const { createdMemorySchema } = await import('../../domain/memory/schemas.ts');
  const { type, project, from: kind, uri, reference, confidence, supersedes, expires: expires_at } = options;
  const provenance = { kind, uri, reference };
  const body = { type, text, project, provenance, confidence, supersedes, expires_at };
  const made = await api.post('/v1/memories', body, createdMemorySchema);
  out.data(made, [made.id]);
  if (made.indexed) return undefined;
  out.message('kept, but not found by a search before what is away is back');
  return exitCodes.partial;
}

async function list(
  { api, out }: Context,
  options: { readonly project?: string; readonly type?: string; readonly state?: string },
): Promise<undefined> {
  const { memorySchema } = await import('../../domain/memory/schemas.ts');
  const { everyPage } = await import('../every-page.ts');
  const { table } = await import('../output.ts');
  const given = Object.entries(options).filter(([name]) => ['project', 'type', 'state'].includes(name));
  const page = await everyPage(api, '/v1/memories', memorySchema, Object.fromEntries(given) as Record<string, string>);
  const rows = page.items.map(({ id, type, state, created_at, text }) => [id, type, state, created_at, short(text)]);
  out.data(page, table(['id', 'type', 'state', 'written', 'text'], rows));
  return undefined;
}

async function show({ api, out }: Context, id: string): Promise<undefined> {
  const { memorySchema } = await import('../../domain/memory/schemas.ts');
  const memory = await api.get(`/v1/memories/${encodeURIComponent(id)}`, memorySchema);
  out.data(memory, linesOf(memory));
  return undefined;
}

interface SearchOptions {
  readonly project?: readonly string[];
  readonly type?: readonly string[];
  readonly limit: number;
}

async function search({ api, out }: Context, query: string, options: SearchOptions): Promise<ExitCode> {
  const { memorySearchAnswerSchema } = await import('../../domain/memory/schemas.ts');
  const { project: projects, type, limit } = options;
  const answer = await api.ask(
    '/v1/memories/search',
    { query, projects, types: type, limit },
    memorySearchAnswerSchema,
  );
  out.data(answer, answer.hits.map(lineOfHit));
  if (answer.hits.length === 0) out.message('nothing was found');
  for (const { reason, detail } of answer.degraded) out.message(`degraded: ${reason}: ${detail}`);
  return answer.degraded.length > 0 ? exitCodes.partial : exitCodes.ok;
}

async function forget(
  { api, out }: Context,
  id: string,
  { reason, confirm }: { readonly reason?: string; readonly confirm?: string },
): Promise<undefined> {
  const { forgottenMemorySchema } = await import('../../domain/memory/schemas.ts');
  const { confirmName } = await import('../confirm.ts');
  await confirmName(out, id, confirm, `Forgetting memory ${id} for good`);
  const done = await api.post(`/v1/memories/${encodeURIComponent(id)}/forget`, { reason }, forgottenMemorySchema);
  out.data(done, [`${id} is forgotten`]);
  out.message('Recovery points that were made before hold it until they are pruned; a restore forgets it again.');
  return undefined;
}

function lineOfHit(hit: MemorySearchAnswer['hits'][number], index: number): string {
  return `${index + 1}. ${hit.project ?? '-'}  ${hit.type}  ${hit.id}  ${hit.score.toFixed(3)}\n   ${short(hit.text)}`;
}

function linesOf(memory: Memory): string[] {
  const { id, type, project, state, provenance, confidence, supersedes, superseded_by, actor } = memory;
  const from = [provenance.kind, provenance.reference, provenance.uri].filter((each) => each !== undefined).join(', ');
  return [
    `${id}: ${type}, ${state}`,
    `  project      ${project ?? '-'}`,
    `  from         ${from}, written by ${actor} at ${memory.created_at}`,
    `  confidence   ${confidence}`,
    `  expires      ${memory.expires_at ?? 'never'}`,
    ...(supersedes === null ? [] : [`  supersedes   ${supersedes}`]),
    ...(superseded_by === null ? [] : [`  superseded   by ${superseded_by}`]),
    `  ${memory.text.replaceAll('\n', '\n  ')}`,
  ];
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('a number from 0 to 1');
}

function short(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= 100 ? line : `${line.slice(0, 99)}…`;
}
