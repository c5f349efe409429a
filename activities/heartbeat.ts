import { Context } from '@temporalio/activity';

/**
 * Runs `work` with a heartbeat every second, so that a worker that dies is noticed within the heartbeat timeout. The
 * signal ends `work` when the run is cancelled, this attempt has timed out, or the worker is shutting down.
 */
export async function withHeartbeat<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 1_000);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(beat);
  }
}
