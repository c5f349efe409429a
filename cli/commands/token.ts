import { Option, type Command } from 'commander';
import { leaf, runs } from '../command.ts';

export function tokenCommands(program: Command): void {
  const token = program.command('token').description('who may do what');

  leaf(token, 'create', 'makes a token and shows it this once')
    .requiredOption('--actor <name>', 'who it stands for in the audit')
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['viewer', 'agent', 'operator', 'admin'])
        .makeOptionMandatory(),
    )
    .option('--project <id...>', 'it sees these projects only; default: everything')
    .option('--expires <date>', '2026-12-31T23:59:59Z; default: never')
    .action(
      runs(async ({ api, out }, options: { actor: string; role: string; project?: string[]; expires?: string }) => {
        const { newTokenSchema } = await import('../../domain/access.ts');
        const { actor, role, project: projects, expires } = options;
        const request = {
          ...{ actor, role },
          ...(projects === undefined ? {} : { projects }),
          ...(expires === undefined ? {} : { expires_at: expires }),
        };
        const made = await api.post('/v1/tokens', request, newTokenSchema);
        out.data(made, [made.token]);
        out.message('Shown this once: only its hash is kept.');
        return undefined;
      }),
    );

  leaf(token, 'list', 'all tokens, without their secrets').action(
    runs(async ({ api, out }) => {
      const { tokenSchema } = await import('../../domain/access.ts');
      const { everyPage } = await import('../every-page.ts');
      const { table } = await import('../output.ts');
      const page = await everyPage(api, '/v1/tokens', tokenSchema);
      const rows = page.items.map((item) => {
        const state = item.revoked_at === null ? (item.expires_at ?? 'never expires') : 'revoked';
        const sees = item.projects?.join(', ') ?? 'everything';
        return [item.id, item.actor, item.role, sees, state, item.last_used_at ?? 'never'];
      });
      out.data(page, table(['id', 'actor', 'role', 'sees', 'expires', 'last used'], rows));
      return undefined;
    }),
  );

  leaf(token, 'revoke <id>', 'makes a token useless at once')
    .option('--confirm <id>', 'in scripts: the id again')
    .action(
      runs(async ({ api, out }, id: string, options: { confirm?: string }) => {
        const { confirmName } = await import('../confirm.ts');
        await confirmName(out, id, options.confirm, `Revoking token ${id}`);
        await api.delete(`/v1/tokens/${encodeURIComponent(id)}`);
        out.data({ id, revoked: true }, [`${id} is revoked`]);
        return undefined;
      }),
    );
}
