import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { ensureFirstToken, type FirstToken } from './first-token.ts';
import { createReport } from './report.ts';
import { startStack, type StackAddresses } from './stack.ts';
import { StackError } from './stack-error.ts';
import { AlreadyRunning } from './supervisor-lock.ts';

export interface UpIo {
  /** Progress and messages. */
  readonly write: (line: string) => void;
  /** Ends the run; usually Ctrl-C. */
  readonly stop: AbortSignal;
}

/** Starts everything, says where it is, and keeps it until told to stop. Returns the exit code. */
export async function runUp(config: Config, { write, stop }: UpIo): Promise<number> {
  const since = performance.now();
  try {
    const stack = await startStack(config, createReport(write), { apps: true, signal: stop });
    const token = await ensureFirstToken(stack.home, stack.database_url, config.postgres.database);
    write(`\nHoldfast is ready after ${((performance.now() - since) / 1000).toFixed(1)} s.`);
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
    if (error instanceof AlreadyRunning) {
      write(`${error.message}.`);
      const lines = await runningAddresses(config.home).then(
        (addresses) => whereabouts(addresses, null),
        (reason: unknown) => [reason instanceof StackError ? `${reason.message}. ${reason.advice}` : String(reason)],
      );
      for (const line of lines) write(line);
      return 0;
    }
    if (!(error instanceof StackError)) throw error;
    write(`holdfast: ${error.message}`);
    write(`next: ${error.advice}`);
    return 1;
  }
}

/** Where a stack that runs already said it is. */
export async function runningAddresses(home: string): Promise<StackAddresses> {
  const path = join(home, 'run', 'stack.json');
  if (!existsSync(path)) throw new StackError('It is still starting', 'Try again in a moment.');
  return JSON.parse(await readFile(path, 'utf8')) as StackAddresses;
}

function whereabouts({ api_url, temporal_ui }: StackAddresses, token: FirstToken | null): string[] {
  return [
    `  API          ${api_url ?? 'none'}   (page: ${api_url ?? ''}/docs)`,
    `  Temporal UI  ${temporal_ui ?? 'unknown: set HOLDFAST_TEMPORAL_UI'}`,
    ...(token?.token == null ? [] : [`  admin token  ${token.token}   (shown this once)`]),
    ...(token === null
      ? []
      : [`  token file   ${token.path ?? 'none here: holdfast token create --actor you --role admin'}`]),
  ];
}
