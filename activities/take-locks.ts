import type { HeldLock, LockStore, LockWish } from '../adapters/postgres/locks.ts';
import type { RunOfLock } from '../domain/lock.ts';

export interface TakeLocksDeps {
  readonly locks: Pick<LockStore, 'acquire' | 'releaseRun'>;
  readonly isClosed: (run: RunOfLock) => Promise<boolean>;
}

/** All of them, or whom to wait for: an open run that holds one. What a closed run left is reaped. */
export async function takeLocks(
  { locks, isClosed }: TakeLocksDeps,
  wishes: readonly LockWish[],
  run: RunOfLock,
): Promise<{ readonly held: readonly HeldLock[] } | { readonly holder: RunOfLock & { readonly resource: string } }> {
  for (;;) {
    const taken = await locks.acquire(wishes, run);
    if ('held' in taken) return taken;
    for (const holder of taken.holders) {
      if (!(await isClosed(holder))) return { holder };
      await locks.releaseRun(holder.run_id);
    }
  }
}
