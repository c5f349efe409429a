import { setTimeout as sleep } from 'node:timers/promises';

export interface Cleanup {
  /** Done at the end, the last first. */
  add(what: string, undo: () => unknown): void;
  run(): Promise<void>;
}

/** What this run has to take away again, whatever ends it. One thing that cannot be undone keeps nothing else from it. */
export function createCleanup(say: (line: string) => void): Cleanup {
  const tasks: { what: string; undo: () => unknown }[] = [];
  return {
    add: (what, undo) => void tasks.push({ what, undo }),
    async run() {
      for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
        try {
          await task.undo();
        } catch (error) {
          say(`could not be cleared up: ${task.what}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    },
  };
}

/** Ends the wait, not the work: that ends with what it needs. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  // Never longer than it lasts: what ends it is one of the two.
  const aborted = sleep(2 ** 31 - 1, undefined, { signal: either, ref: false }) as Promise<never>;
  try {
    return await Promise.race([work, aborted]);
  } finally {
    aborted.catch(() => undefined);
    work.catch(() => undefined);
    done.abort();
  }
}
