import type { ContentStore, StoreEntry } from './content-store.ts';

export interface CollectDeps {
  readonly contents: ContentStore;
  /** Those of some contents that a row names. */
  readonly named: (sha256s: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly now: () => Date;
}

/** Content that is younger may belong to rows that are about to be written. */
const graceMs = 3_600_000;
const batchSize = 1_000;

/** Deletes what no row names any more, and what processes that died left half written. */
export async function collectContents(
  { contents, named, now }: CollectDeps,
  { signal, heartbeat }: { readonly signal: AbortSignal; readonly heartbeat: () => void },
): Promise<{ removed: number; bytes: number }> {
  const usedBefore = new Date(now().getTime() - graceMs);
  const removed = { removed: 0, bytes: 0 };
  const removeUnnamed = async (batch: readonly StoreEntry[]): Promise<void> => {
    const kept = await named(batch.map(({ sha256 }) => sha256));
    for (const { sha256, bytes } of batch.filter((entry) => !kept.has(entry.sha256))) {
      if (!(await contents.remove(sha256, usedBefore))) continue;
      removed.removed += 1;
      removed.bytes += bytes;
    }
    heartbeat();
  };

  await contents.removeAbandoned(now());
  let batch: StoreEntry[] = [];
  for await (const entry of contents.entries()) {
    signal.throwIfAborted();
    if (entry.usedAt < usedBefore) batch.push(entry);
    if (batch.length < batchSize) continue;
    await removeUnnamed(batch);
    batch = [];
  }
  await removeUnnamed(batch);
  return removed;
}
