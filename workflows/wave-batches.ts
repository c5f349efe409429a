import { ActivityFailure, ApplicationFailure, isCancellation } from '@temporalio/workflow';
import { endsTheWave } from '../domain/wave/fatal.ts';
import type { WaveGeneration } from '../domain/wave/run.ts';
import { failureReason } from './failure-reason.ts';
import { waveRows, writingOn } from './wave-proxies.ts';
import type { WaveRun } from './wave-run.ts';

/** How many batches are under way at once, over all workers of the box. */
const windowOfBatches = 4;

/**
 * A sliding window. When it ends, however it ends, nothing of it is under way. What a batch that was given up leaves open
 * has failed, with its reason; throws what ends the wave, and a cancellation.
 */
export async function writeBatches(
  run: WaveRun,
  generation: WaveGeneration,
  batches: readonly number[],
): Promise<void> {
  const { ref, journal, control } = run;
  const box = writingOn(run.box);
  const givenUp: { readonly batch: number; readonly reason: string }[] = [];
  const open = new Set<Promise<void>>();
  const ends: unknown[] = [];
  let done = 0;
  // Never rejects: somebody else may be waited for when it ends.
  async function write(batch: number): Promise<void> {
    try {
      await box.writeBatch(ref, generation.number, batch);
      journal.show(`${(done += 1)} of ${batches.length} batches`);
    } catch (error) {
      if (isCancellation(error) || isFatal(error)) ends.push(error);
      else givenUp.push({ batch, reason: failureReason(error) });
    }
  }
  try {
    for (const batch of batches) {
      await control.whilePaused();
      if (open.size >= windowOfBatches) await Promise.race(open);
      if (ends.length > 0) break;
      const work: Promise<void> = write(batch).finally(() => open.delete(work));
      open.add(work);
    }
  } finally {
    await Promise.all(open);
  }
  if (ends.length > 0) throw ends[0];
  for (const { batch, reason } of givenUp) await waveRows.failBatch(ref, batch, reason);
}

function isFatal(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && endsTheWave(cause.type);
}
