import { healthSchema } from '../domain/health.ts';
import { CliError } from './cli-error.ts';
import type { Context } from './command.ts';
import type { StackOptions } from '../infra/stack/stack.ts';
import { exitCodes } from './exit-codes.ts';

/**
 * Row B6: does `work` by the API that answers. Where none does, everything is started on this machine for as long as it takes,
 * API and worker included, and stopped behind it: what is held then is held on, and the next start goes on with it. `alone` says
 * which it was; `beforeApps` is done only then. One that was named by HOLDFAST_URL is somebody else's to start.
 */
export async function withStack<T>(
  context: Context,
  work: (context: Context, alone: boolean) => Promise<T>,
  beforeApps: StackOptions['beforeApps'] = async () => undefined,
): Promise<T> {
  if (await answers(context)) return work(context, false);
  const { config, out } = context;
  out.message('No API answers here: Holdfast is started for this command alone');
  const { startStack } = await import('../infra/stack/stack.ts');
  const { createReport } = await import('../infra/stack/report.ts');
  const { createApi } = await import('./client.ts');
  const { StackError } = await import('../infra/stack/stack-error.ts');
  const { AlreadyRunning } = await import('../infra/stack/supervisor-lock.ts');
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupt);
  const report = createReport((line) => out.message(line));
  const stack = await startStack(config, report, { apps: true, beforeApps, signal: stop.signal }).catch(
    (error: unknown) => {
      if (error instanceof AlreadyRunning)
        throw new CliError(
          `${error.message}, and its API does not answer`,
          exitCodes.failed,
          'stop it, then the same command again',
        );
      if (error instanceof StackError) throw new CliError(error.message, exitCodes.failed, error.advice);
      throw error;
    },
  );
  try {
    // Also by whoever said so while it was being started.
    if (stop.signal.aborted) throw interrupted();
    const stopped = new Promise<never>((_resolve, reject) => {
      stop.signal.addEventListener('abort', () => reject(interrupted()));
    });
    // Its address and its token are known only now, and on this machine whoever has started it is its admin.
    const api = createApi({ ...config, client: { ...config.client, token: null } });
    return await Promise.race([work({ ...context, api }, true), stopped]);
  } finally {
    await stack.stop();
  }
}

function interrupted(): CliError {
  return new CliError('Interrupted; what runs goes on with the next start', exitCodes.interrupted, 'holdfast up');
}

async function answers({ api, config }: Context): Promise<boolean> {
  try {
    await api.get('/health', healthSchema);
    return true;
  } catch (error) {
    if (!(error instanceof CliError) || !error.lost || config.client.url !== null) throw error;
    return false;
  }
}
