import { Option, type Command } from 'commander';
import { leaf, number, runs, type Context } from '../command.ts';

interface SpecOptions {
  readonly file?: string;
  readonly title?: string;
  readonly directory?: string;
  readonly git?: string;
  readonly alias?: readonly string[];
  readonly reason?: string;
}

export function projectCommands(program: Command): void {
  const project = program.command('project').description('what is known about what: registered bodies of knowledge');

  specOptions(leaf(project, 'propose <id>', 'proposes a new project; somebody else approves it'))
    .addOption(
      new Option('--template <name>', 'what it starts from').choices(['plain', 'notes', 'code', 'website', 'uploads']),
    )
    .option('--reason <text>', 'why, for whoever approves it')
    .action(runs(propose));

  specOptions(leaf(project, 'refine <name>', 'proposes another version; what is not named stays as it is'))
    .requiredOption('--base <version>', 'the version that you read', number(1, 1_000_000))
    .requiredOption('--reason <text>', 'why')
    .action(runs(refine));

  leaf(project, 'list', 'all approved projects').action(runs(list));
  leaf(project, 'show <name>', 'one project, by its id or an alias').action(runs(show));
  leaf(project, 'refresh <name>', 'brings it up to date: a wave, or one more after that which runs')
    .option('--source <name...>', 'only these sources')
    .action(runs(refresh));
  leaf(project, 'generations <name>', 'what waves made of it, newest first')
    .option('--after <cursor>', 'go on behind this page: its next_cursor')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .action(runs(listGenerations));
  leaf(project, 'webhook <name>', 'where a git host tells of pushes, and the secret that it signs with').action(
    runs(showWebhook),
  );
  leaf(project, 'templates', 'what a proposal may start from').action(runs(listTemplates));
}

function specOptions(command: Command): Command {
  return command
    .option('--file <path>', 'its specification as JSON; - for standard input')
    .option('--title <text>', 'what people call it')
    .option('--alias <name...>', 'other names for it')
    .addOption(new Option('--directory <path>', 'its one source: a folder inside an allowed root').conflicts('git'))
    .option('--git <url>', 'its one source: a repository');
}

/** The file, and over it what was said in words. */
async function specOf({ file, title, alias, directory, git }: SpecOptions): Promise<object> {
  const path = await import('node:path');
  const { usageError } = await import('../cli-error.ts');
  const { readJson } = await import('../json-file.ts');
  const given = file === undefined ? {} : await readJson(file);
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw usageError(`${file ?? ''} is no object`);
  return {
    ...given,
    ...(title === undefined ? {} : { title }),
    ...(alias === undefined ? {} : { aliases: alias }),
    ...(directory === undefined
      ? {}
      : { sources: [{ kind: 'directory', name: 'main', path: path.resolve(directory) }] }),
    ...(git === undefined ? {} : { sources: [{ kind: 'git', name: 'main', url: git }] }),
  };
}

async function propose(
  { api, out }: Context,
  id: string,
  options: SpecOptions & { template?: string },
): Promise<undefined> {
  const { proposalSchema } = await import('../../domain/project/schemas.ts');
  const { template, reason } = options;
  const spec = await specOf(options);
  const proposal = await api.post('/v1/projects/proposals', { project: id, template, spec, reason }, proposalSchema);
  out.data(proposal, [proposal.id]);
  out.message(`next: holdfast proposal approve ${proposal.id}`);
  return undefined;
}

async function refine(
  { api, out }: Context,
  name: string,
  options: SpecOptions & { base: number },
): Promise<undefined> {
  const { proposalSchema } = await import('../../domain/project/schemas.ts');
  const body = { base_version: options.base, spec: await specOf(options), reason: options.reason };
  const proposal = await api.post(`${pathOf(name)}/proposals`, body, proposalSchema);
  out.data(proposal, [proposal.id]);
  out.message(`next: holdfast proposal approve ${proposal.id}`);
  return undefined;
}

async function list({ api, out }: Context): Promise<undefined> {
  const { everyPage } = await import('../every-page.ts');
  const { projectSchema } = await import('../../domain/project/schemas.ts');
  const { table } = await import('../output.ts');
  const page = await everyPage(api, '/v1/projects', projectSchema);
  const rows = page.items.map(({ project, version, spec, visible, held }) => [
    ...[project, String(version), visible === 0 ? 'none' : String(visible), held ? 'held' : '-'],
    ...[spec.aliases.join(', ') || '-', spec.title],
  ]);
  out.data(page, table(['project', 'version', 'generation', 'held', 'aliases', 'title'], rows));
  return undefined;
}

async function show({ api, out }: Context, name: string): Promise<undefined> {
  const { foundProjectSchema } = await import('../../domain/project/schemas.ts');
  const shown = await api.get(pathOf(name), foundProjectSchema);
  const { project, version, spec, visible } = shown;
  const seen = visible === 0 ? 'nothing to be seen yet' : `generation ${visible}`;
  out.data(shown, [`${project} in version ${version}, ${seen}`, JSON.stringify(spec, null, 2)]);
  return undefined;
}

async function listTemplates({ api, out }: Context): Promise<undefined> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { templateSchema } = await import('../../domain/project/schemas.ts');
  const { table } = await import('../output.ts');
  const page = await api.get('/v1/projects/templates', pageOf(templateSchema, 'Page'));
  const rows = page.items.map(({ name, description }) => [name, description]);
  out.data(page, table(['template', 'for'], rows));
  return undefined;
}

function pathOf(name: string): string {
  return `/v1/projects/${encodeURIComponent(name)}`;
}

async function refresh({ api, out }: Context, name: string, { source }: { source?: string[] }): Promise<undefined> {
  const { runSchema } = await import('../../domain/answer.ts');
  const body = source === undefined ? {} : { sources: source };
  const run = await api.post(`/v1/projects/${encodeURIComponent(name)}/refresh`, body, runSchema);
  out.data(run, [`${run.workflow_id} ${run.run_id}`]);
  out.message(`next: holdfast wave list ${name}`);
  return undefined;
}

async function listGenerations(
  { api, out }: Context,
  name: string,
  { after, limit }: { after?: string; limit: number },
): Promise<undefined> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { generationSchema } = await import('../../domain/wave/schemas.ts');
  const { table } = await import('../output.ts');
  const query = new URLSearchParams({ limit: String(limit), ...(after === undefined ? {} : { cursor: after }) });
  const path = `/v1/projects/${encodeURIComponent(name)}/generations?${query.toString()}`;
  const page = await api.get(path, pageOf(generationSchema, 'GenerationPage'));
  const rows = page.items.map(({ number: at, state, visible, documents, chunks, wave_id, identity }) => [
    ...[`${at}${visible ? ' *' : ''}`, state, String(documents ?? '-'), String(chunks ?? '-'), wave_id, identity],
  ]);
  const more =
    page.next_cursor === null ? [] : [`more: holdfast project generations ${name} --after ${page.next_cursor}`];
  out.data(page, [...table(['generation', 'state', 'documents', 'chunks', 'wave', 'embedding'], rows), ...more]);
  return undefined;
}

async function showWebhook({ api, out }: Context, name: string): Promise<undefined> {
  const { webhookSecretSchema } = await import('../../domain/wave/schemas.ts');
  const shown = await api.get(`/v1/projects/${encodeURIComponent(name)}/webhook`, webhookSecretSchema);
  out.data(shown, [`path    ${shown.path}`, `secret  ${shown.secret}`]);
  if (!shown.enabled)
    out.message(`holdfast: the registration of ${shown.project} says no webhook (policy.refresh.webhook)`);
  return undefined;
}
