import { setTimeout as sleep } from 'node:timers/promises';
import type { MemoryReconciliation } from '../adapters/memories/reconcile.ts';

type Memories = Pick<MemoryReconciliation, 'all' | 'differs'>;

const everyMs = 60_000;

/** G12. At boot, and from then on whenever rows and points of memories are not as many. Ends with the signal. */
export async function keepMemories(memories: Memories, signal: AbortSignal): Promise<void> {
  await reconcileMemories(memories, signal);
  for (;;) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const differs = await memories.differs().catch(() => false);
    if (differs) await reconcileMemories(memories, signal);
  }
}

/** Also after a restart of Qdrant. What is away now is looked at again soon. */
export async function reconcileMemories(memories: Pick<Memories, 'all'>, signal: AbortSignal): Promise<void> {
  try {
    tell(await memories.all(signal));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!signal.aborted) process.stderr.write(`The points of memories are looked at again soon: ${reason}\n`);
  }
}

function tell(done: Awaited<ReturnType<MemoryReconciliation['all']>>): void {
  if (Object.values(done).some((count) => count > 0))
    process.stderr.write(`The points of memories were put right: ${JSON.stringify(done)}\n`);
}
