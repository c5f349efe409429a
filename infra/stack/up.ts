import type { Config } from '../config.ts';
import { runningAddresses, type StackAddresses } from './addresses.ts';
import type { App } from './apps.ts';
import { startExternal } from './external.ts';
import type { FirstToken } from './first-token.ts';
import { createReport } from './report.ts';
import { startStack } from './stack.ts';
import { StackError } from './stack-error.ts';
import { AlreadyRunning } from './supervisor-lock.ts';

export interface UpIo {
  /** Progress and messages. */
  readonly write: (line: string) => void;
  /** Ends the run; usually Ctrl-C. */
  readonly stop: AbortSignal;
}

export interface UpOptions {
  /** Over servers that somebody else runs: none is started. */
  readonly external: boolean;
  /** With `external`: this one alone. */
  readonly only: App | null;
}

/** Starts everything, says where it is, and keeps it until told to stop. Returns the exit code. Throws ConfigError. */
export async function runUp(config: Config, { write, stop }: UpIo, options: UpOptions): Promise<number> {
  const since = performance.now();
  try {
    const report = createReport(write);
    const stack = options.external
      ? await startExternal(config, report, { only: options.only, signal: stop })
      : await startStack(config, report, { apps: true, signal: stop });
    write(`\nHoldfast is ready after ${((performance.now() - since) / 1000).toFixed(1)} s.`);
    // Whoever keeps an external one keeps what it says too, in a journal or a container's log: no place for a secret.
    const token = options.external && stack.token !== null ? { ...stack.token, token: null } : stack.token;
    for (const line of whereabouts(stack, token)) write(line);
    write('Ctrl-C stops it; deployed services go on.');
    if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
    write('\nstopping ...');
    await stack.stop();
    return 0;
  } catch (error) {
    if (stop.aborted) {
      write('interrupted; the same command goes on where this one was');
      return 130;
    }
    if (error instanceof AlreadyRunning) return alreadyRunning(error, config, write, options);
    if (!(error instanceof StackError)) throw error;
    write(`holdfast: ${error.message}`);
    write(`next: ${error.advice}`);
    return 1;
  }
}

/** A person who wanted it to run has what they wanted; whoever keeps processes has one that did not start. */
async function alreadyRunning(
  error: AlreadyRunning,
  config: Config,
  write: UpIo['write'],
  { external }: UpOptions,
): Promise<number> {
  write(`${error.message}.`);
  if (external) return 1;
  const lines = await runningAddresses(config.home).then(
    (addresses) => whereabouts(addresses, null),
    (reason: unknown) => [reason instanceof StackError ? `${reason.message}. ${reason.advice}` : String(reason)],
  );
  for (const line of lines) write(line);
  return 0;
}

function whereabouts({ api_url, temporal_ui }: StackAddresses, token: FirstToken | null): string[] {
  return [
    ...(api_url === null ? [] : [`  API          ${api_url}   (page: ${api_url}/docs)`]),
    `  Temporal UI  ${temporal_ui ?? 'unknown: set HOLDFAST_TEMPORAL_UI'}`,
    ...(token?.token == null ? [] : [`  admin token  ${token.token}   (shown this once)`]),
    ...(token === null
      ? []
      : [`  token file   ${token.path ?? 'none here: holdfast token create --actor you --role admin'}`]),
  ];
}
