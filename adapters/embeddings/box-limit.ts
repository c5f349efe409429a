import type { Sql } from '../postgres/connect.ts';
import { unlessAborted } from './unless-aborted.ts';

/** How many processes of a box embed passages at the same time (row W8). */
export interface BoxLimit {
  /** Runs `work` when it is this process's turn. Rejects with the signal's reason when that comes first. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

// So often whoever waits looks whether somebody still wants it.
const lookMs = 1_000;
const lockTimedOut = '55P03';

/**
 * `atOnce` processes of a box at a time, by advisory locks of `sql`, which has one connection and is used for nothing else: the
 * lock of a killed process ends with it, and whoever waits gets one in order, in whichever container it runs. A process has one
 * turn at a time. A lock that is lost with its connection is one process too many for a turn, and no harm.
 */
export function createBoxLimit(sql: Sql, { box, atOnce }: { readonly box: string; readonly atOnce: number }): BoxLimit {
  const name = `holdfast.embedding.${box}`;
  let last: Promise<unknown> = Promise.resolve();

  /** The slot that was taken, after waiting for one; null: none within `lookMs`. */
  async function take(): Promise<number | null> {
    await sql`select set_config('lock_timeout', ${String(lookMs)}, false)`;
    for (let slot = 0; slot < atOnce; slot += 1) {
      const [row] = await sql<{ taken: boolean }[]>`
        select pg_try_advisory_lock(hashtext(${name}), ${slot}) as taken`;
      if (row?.taken === true) return slot;
    }
    const slot = process.pid % atOnce;
    try {
      await sql`select pg_advisory_lock(hashtext(${name}), ${slot})`;
      return slot;
    } catch (error) {
      if ((error as { code?: unknown }).code === lockTimedOut) return null;
      throw error;
    }
  }

  async function takeTurn<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      const slot = await take();
      if (slot === null) continue;
      try {
        signal.throwIfAborted();
        return await work();
      } finally {
        // Without a connection there is no lock either.
        await sql`select pg_advisory_unlock(hashtext(${name}), ${slot})`.catch(() => undefined);
      }
    }
  }

  return {
    run(work, signal) {
      const mine = last.then(() => takeTurn(work, signal));
      last = mine.catch(() => undefined);
      return unlessAborted(mine, signal);
    },
  };
}
