import type { Command } from 'commander';
import { leaf, runs } from '../command.ts';

export function exportCommand(program: Command): void {
  leaf(program, 'export', 'prints what is registered as JSON Lines, for holdfast import').action(
    runs(async ({ api, out }) => {
      const { pageOf } = await import('../../domain/answer.ts');
      const { transferLineSchema } = await import('../../domain/project/transfer.ts');
      const page = pageOf(transferLineSchema, 'Page');
      const query = new URLSearchParams({ limit: '20' });
      for (;;) {
        const { items, next_cursor } = await api.get(`/v1/export?${query.toString()}`, page);
        for (const line of items) out.data(line, [plainJson(line)]);
        if (next_cursor === null) return undefined;
        query.set('cursor', next_cursor);
      }
    }),
  );
}

/** What a terminal must not be sent is escaped and comes back as it was. */
function plainJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\u009f]/g, (code) => `\\u00${code.charCodeAt(0).toString(16)}`);
}
