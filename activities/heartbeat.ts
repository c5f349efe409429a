import { Context } from '@temporalio/activity';

/**
 * Runs `work` with a heartbeat every second, so that a worker that dies is noticed within the heartbeat timeout. The
 * signal ends `work` when the run is cancelled, this attempt has timed out, or the worker is shutting down.
 */
export async function withHeartbeat<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return beating(null, (_, __, signal) => work(signal));
}

/**
 * The same, with something to remember: `work` begins with what the last attempt told `beat`, or with `begin`. Small
 * values only; no secrets, since they are seen in Temporal.
 */
export async function beating<S, T>(
  begin: S,
  work: (resumed: S, beat: (state: S) => void, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  let state = (context.info.heartbeatDetails as S | undefined) ?? begin;
  const timer = setInterval(() => context.heartbeat(state), 1_000);
  try {
    return await work(state, (next) => (state = next), context.cancellationSignal);
  } catch (error) {
    // The next attempt begins with what this one saw last, not with what it saw a second before.
    context.heartbeat(state);
    throw error;
  } finally {
    clearInterval(timer);
  }
}
