import { setTimeout as sleep } from 'node:timers/promises';

/** The longest that one write took, in ms, and how many there were. */
export interface Pauses {
  readonly postgres: number;
  readonly qdrant: number;
  readonly writes: number;
}

/** One small write of each store; `at`: how many there were before it. */
export type Writes = Readonly<Record<'postgres' | 'qdrant', (at: number) => Promise<unknown>>>;

const betweenMs = 5;

/** One writer of each store, which writes all the time, as a wave does between its batches. */
export async function whileWriting<T>(
  writes: Writes,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly pauses: Pauses }> {
  const running = { on: true };
  const longest = { postgres: 0, qdrant: 0, writes: 0 };
  const keep = async (store: keyof Writes): Promise<void> => {
    for (let at = 0; running.on; at += 1) {
      const since = performance.now();
      await writes[store](at);
      longest[store] = Math.max(longest[store], Math.round(performance.now() - since));
      longest.writes += 1;
      await sleep(betweenMs);
    }
  };
  const writers = Promise.all([keep('postgres'), keep('qdrant')]);
  try {
    const result = await Promise.race([work(), writers.then(() => Promise.reject(new Error('The writers ended')))]);
    return { result, pauses: longest };
  } finally {
    running.on = false;
    await writers;
  }
}
