import type { Command } from 'commander';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { leaf, runs } from '../command.ts';

export function upCommand(program: Command): void {
  leaf(program, 'up', 'starts Holdfast and keeps it running; Ctrl-C stops it').action(
    runs(async ({ config, out }) => {
      const { runUp } = await import('../../infra/stack/up.ts');
      const code = await runUp(config, { write: (line) => out.message(line), stop: stopSignal() });
      return code as ExitCode;
    }),
  );
}

/** The first Ctrl-C stops in order; the second does not wait. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const pressed = { times: 0, at: 0 };
  const onSignal = (): void => {
    // npm and the set-up hand the same Ctrl-C on; that is one, not three.
    if (Date.now() - pressed.at < 1_000) return;
    pressed.at = Date.now();
    pressed.times += 1;
    if (pressed.times > 1) process.exit(exitCodes.interrupted);
    stop.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  return stop.signal;
}
