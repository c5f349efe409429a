import { Option, type Command } from 'commander';
import { leaf, number, runs, type Context } from '../command.ts';

interface ListOptions {
  readonly state?: string;
  readonly project?: string;
  readonly after?: string;
  readonly limit: number;
}

export function proposalCommands(program: Command): void {
  const proposal = program.command('proposal').description('proposed projects and refinements: who approves them');

  leaf(proposal, 'list', 'newest first')
    .addOption(new Option('--state <state>').choices(['proposed', 'approved', 'rejected', 'withdrawn']))
    .option('--project <name>', 'only of this project')
    .option('--after <cursor>', 'go on behind this page: its next_cursor')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .action(runs(list));

  leaf(proposal, 'show <id>', 'one proposal, and what was decided about it').action(runs(show));

  leaf(proposal, 'approve <id>', 'puts it into force; who proposed it does not')
    .option('--self-approve', "one's own, where nobody else could: it is recorded")
    .option('--reason <text>', 'why')
    .action(
      runs((context, id: string, { selfApprove, reason }: { selfApprove?: boolean; reason?: string }) =>
        decide(context, id, 'approve', { self_approve: selfApprove === true, reason }),
      ),
    );

  leaf(proposal, 'reject <id>', 'decides against it')
    .requiredOption('--reason <text>', 'why')
    .action(runs((context, id: string, { reason }: { reason: string }) => decide(context, id, 'reject', { reason })));

  leaf(proposal, 'withdraw <id>', "takes back one's own")
    .option('--reason <text>', 'why')
    .action(
      runs((context, id: string, { reason }: { reason?: string }) => decide(context, id, 'withdraw', { reason })),
    );
}

async function list({ api, out }: Context, { state, project, after, limit }: ListOptions): Promise<undefined> {
  const { pageOf } = await import('../../domain/answer.ts');
  const { proposalSchema } = await import('../../domain/project/schemas.ts');
  const { table } = await import('../output.ts');
  const query = new URLSearchParams({ limit: String(limit) });
  for (const [name, value] of Object.entries({ state, project, cursor: after })) {
    if (value !== undefined) query.set(name, value);
  }
  const page = await api.get(`/v1/projects/proposals?${query.toString()}`, pageOf(proposalSchema, 'Page'));
  const rows = page.items.map((item) => [
    ...[item.id, item.project, item.kind, item.outdated ? 'outdated' : item.state],
    ...[item.proposed_by, item.decided_by ?? '-', item.self_approved ? 'self-approved' : '-'],
  ]);
  const more = page.next_cursor === null ? [] : [`more: holdfast proposal list --after ${page.next_cursor}`];
  out.data(page, [...table(['proposal', 'project', 'kind', 'state', 'by', 'decided by', 'note'], rows), ...more]);
  return undefined;
}

async function show({ api, out }: Context, id: string): Promise<undefined> {
  const { proposalSchema } = await import('../../domain/project/schemas.ts');
  const shown = await api.get(pathOf(id), proposalSchema);
  const { project, kind, state, proposed_by, decided_by, spec, reason } = shown;
  const decided = decided_by === null ? '' : ` by ${decided_by}${shown.self_approved ? ', self-approved' : ''}`;
  const line = `${project} (${kind}), proposed by ${proposed_by}: ${shown.outdated ? 'outdated' : state}${decided}`;
  out.data(shown, [line, ...(reason === null ? [] : [`reason: ${reason}`]), JSON.stringify(spec, null, 2)]);
  return undefined;
}

async function decide({ api, out }: Context, id: string, verb: string, body: object): Promise<undefined> {
  const { proposalSchema } = await import('../../domain/project/schemas.ts');
  const decided = await api.post(`${pathOf(id)}/${verb}`, body, proposalSchema);
  const { project, state, version, self_approved } = decided;
  const where = version === null ? '' : ` in version ${version}${self_approved ? ', self-approved' : ''}`;
  out.data(decided, [`${project}: ${state}${where}`]);
  return undefined;
}

function pathOf(id: string): string {
  return `/v1/projects/proposals/${encodeURIComponent(id)}`;
}
