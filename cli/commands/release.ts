import type { Command } from 'commander';
import { leaf, runs } from '../command.ts';

export function releaseCommands(program: Command): void {
  const release = program.command('release').description('releases of a service');
  leaf(release, 'list <service>', 'newest first').action(
    runs(async ({ api, out }, service: string) => {
      const { pageOf } = await import('../../domain/answer.ts');
      const { releaseSchema } = await import('../../domain/service.ts');
      const { table } = await import('../output.ts');
      const path = `/v1/services/${encodeURIComponent(service)}/releases`;
      const page = await api.get(path, pageOf(releaseSchema, 'ReleasePage'));
      const rows = page.items.map((item) => [
        ...[item.release_id, item.standing, item.soaked_at === null ? 'young' : 'soaked', item.built_at],
        ...[item.promoted_at ?? '-', item.deployed_by ?? '-', item.outcome ?? '-'],
      ]);
      out.data(page, table(['release', 'standing', 'soak', 'built', 'promoted', 'by', 'outcome'], rows));
      return undefined;
    }),
  );
}
