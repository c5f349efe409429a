import { Option, type Command } from 'commander';
import { usageError } from '../cli-error.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { leaf, runs } from '../command.ts';

export function upCommand(program: Command): void {
  leaf(program, 'up', 'starts Holdfast and keeps it running; Ctrl-C stops it')
    .option('--external', 'the API and the worker only, over TEMPORAL_ADDRESS, DATABASE_URL and QDRANT_URL')
    .addOption(new Option('--only <part>', 'with --external: one of the two').choices(['api', 'worker']))
    .action(
      runs(async ({ config, out }, { external = false, only }: UpWords) => {
        if (only !== undefined && !external) throw usageError('--only is for --external');
        const { runUp } = await import('../../infra/stack/up.ts');
        const io = { write: (line: string) => out.message(line), stop: stopSignal() };
        return (await runUp(config, io, { external, only: only ?? null })) as ExitCode;
      }),
    );
}

interface UpWords {
  readonly external?: boolean;
  readonly only?: 'api' | 'worker';
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
