import type { Command } from 'commander';
import { leaf, runs } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';

export function doctorCommand(program: Command): void {
  leaf(program, 'doctor', 'each part: found where, which version, healthy or what to do').action(
    runs(async ({ config, out }) => {
      const { diagnose } = await import('../../infra/stack/doctor.ts');
      const checks = await diagnose(config);
      const colours = { ok: 'green', warn: 'yellow', fail: 'red' } as const;
      out.data(
        checks,
        checks.map(({ id, state, found, advice }) => {
          const mark = out.paint(colours[state], state.padEnd(4));
          return `${mark}  ${id.padEnd(10)}  ${found}${advice === null ? '' : `. ${advice}`}`;
        }),
      );
      const [worst] = checks.filter(({ state }) => state === 'fail');
      if (worst === undefined) return exitCodes.ok;
      out.message(`holdfast: ${worst.id}: ${worst.found}`);
      out.message(`next: ${worst.advice ?? 'holdfast status'}`);
      return exitCodes.finding;
    }),
  );
}
