import { CliError } from './cli-error.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';

export interface Run {
  /** How the run is called to a person. */
  readonly what: string;
  /** The command that comes back to it. */
  readonly comeBack: string;
  /** What becomes of it when it is left; `goes on` without it. */
  readonly becomes?: string;
}

/**
 * Waits for a run without owning it: Ctrl-C and the timeout leave it going on, and say how to come back. The second Ctrl-C
 * ends the command at once, because only the first is handled.
 */
export async function waitFor(
  out: Output,
  run: Run,
  timeoutMs: number | null,
  work: (left: AbortSignal) => Promise<ExitCode>,
): Promise<ExitCode> {
  const leave = new AbortController();
  const onInterrupt = (): void => leave.abort('interrupted');
  process.once('SIGINT', onInterrupt);
  const timer = timeoutMs === null ? undefined : setTimeout(() => leave.abort('timed out'), timeoutMs);
  try {
    return await work(leave.signal);
  } catch (error) {
    if (!leave.signal.aborted) throw error instanceof CliError && error.transient ? lost(error, run) : error;
    const timedOut = leave.signal.reason === 'timed out';
    out.message(`holdfast: ${timedOut ? 'not done in time' : 'left'}; ${run.what} ${becomesOf(run)}`);
    out.message(`next: ${run.comeBack}`);
    return timedOut ? exitCodes.timedOut : exitCodes.interrupted;
  } finally {
    process.off('SIGINT', onInterrupt);
    clearTimeout(timer);
  }
}

function becomesOf({ becomes = 'goes on' }: Run): string {
  return becomes;
}

/** Only the view of it was lost. */
function lost({ message, exitCode, problem }: CliError, run: Run): CliError {
  return new CliError(
    `${message}; ${run.what} ${becomesOf(run)}`,
    exitCode,
    run.comeBack,
    problem === null ? {} : { problem },
  );
}
