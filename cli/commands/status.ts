import type { Command } from 'commander';
import { actions } from '../../domain/action.ts';
import { leaf, runs } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';

export function statusCommand(program: Command): void {
  leaf(program, 'status', 'what is well and what is not; exit code 3 when degraded').action(
    runs(async ({ api, out }) => {
      const { healthSchema } = await import('../../domain/health.ts');
      const health = await api.get(actions.health_show.path, healthSchema);
      const lines = Object.entries(health.servers).map(([name, { state, version, reason }]) => {
        const mark = state === 'ok' ? out.paint('green', '✓') : out.paint('red', '✗');
        return `  ${mark} ${name.padEnd(9)} ${reason ?? version ?? ''}`.trimEnd();
      });
      const { embeddings } = health;
      const words =
        embeddings.state === 'ok' ? embeddings.identity : `search by words only: ${embeddings.reason ?? ''}`;
      lines.push(
        `  ${embeddings.state === 'unavailable' ? out.paint('red', '✗') : out.paint('green', '✓')} embeddings ${words}`,
      );
      out.data(health, [`${health.status}  build ${health.build_sha.slice(0, 8)}  ${api.url}`, ...lines]);
      if (health.status === 'ok') return exitCodes.ok;
      const parts = Object.entries({ ...health.servers, embeddings });
      const away = parts.filter(([, { state }]) => state === 'unavailable');
      out.message(`holdfast: degraded: ${away.map(([name]) => name).join(', ')}`);
      out.message('next: holdfast doctor');
      return exitCodes.partial;
    }),
  );
}
