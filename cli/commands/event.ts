import type { Command } from 'commander';
import { leaf, number, runs } from '../command.ts';

export function eventCommands(program: Command): void {
  const event = program.command('event').description('the audit: what happened, and who asked for it');
  leaf(event, 'list', 'oldest first')
    .option('--after <cursor>', 'go on behind this page: its next_cursor')
    .option('--limit <n>', 'how many at the most', number(1, 200), 50)
    .option('--subject <subject>', 'only of this subject, such as service/web')
    .action(
      runs(async ({ api, out }, options: { after?: string; limit: number; subject?: string }) => {
        const { pageOf } = await import('../../domain/answer.ts');
        const { eventSchema } = await import('../../domain/event.ts');
        const { table } = await import('../output.ts');
        const query = new URLSearchParams({ limit: String(options.limit) });
        if (options.after !== undefined) query.set('cursor', options.after);
        if (options.subject !== undefined) query.set('subject', options.subject);
        const page = await api.get(`/v1/events?${query.toString()}`, pageOf(eventSchema, 'EventPage'));
        const rows = page.items.map(({ at, type, phase, subject, actor, data }) => {
          const reason = data['outcome'] ?? data['reason'] ?? '';
          return [
            at,
            phase === null ? type : `${type}/${phase}`,
            subject,
            actor,
            typeof reason === 'string' ? reason : '',
          ];
        });
        const more = page.next_cursor === null ? [] : [`more: holdfast event list --after ${page.next_cursor}`];
        out.data(page, [...table(['at', 'event', 'subject', 'actor', 'reason'], rows), ...more]);
        return undefined;
      }),
    );
}
