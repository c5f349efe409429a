import type { PointMaker } from '../adapters/backup/point-maker.ts';
import type { Points } from '../adapters/backup/points.ts';
import type { BackupRunStore } from '../adapters/postgres/backup-runs.ts';
import type { LockStore } from '../adapters/postgres/locks.ts';
import { pointLock } from '../domain/backup/run.ts';
import type { RunOfLock } from '../domain/lock.ts';
import { takeLocks, type TakeLocksDeps } from './take-locks.ts';

export interface UnusedDeps extends TakeLocksDeps {
  readonly locks: Pick<LockStore, 'acquire' | 'release' | 'releaseRun'>;
}

export interface TidyRunsDeps extends UnusedDeps {
  readonly backupRuns: Pick<BackupRunStore, 'untidied' | 'tidied'>;
  readonly maker: Pick<PointMaker, 'discard' | 'dropScratch'>;
  readonly box: string;
}

export interface TidyPartialsDeps extends UnusedDeps {
  readonly points: Pick<Points, 'partials' | 'discard'>;
  readonly now: () => Date;
}

/** Who tidies, and what is its own. */
export interface Tidier {
  readonly run: RunOfLock;
  readonly signal: AbortSignal;
  readonly own: string;
}

/** So long a pull that was given up can be asked for again, and goes on where it was. */
const partialGraceMs = 7 * 24 * 3_600_000;

/**
 * What backups and validations have left that are over, however they ended: folders, scratch databases and collections. What
 * cannot be taken away now is no reason to make no point: the next one tries again. `own`: the id of the run that tidies.
 */
export async function tidyRuns(deps: TidyRunsDeps, { run, signal, own }: Tidier): Promise<void> {
  const { backupRuns, maker, isClosed } = deps;
  for (const left of await backupRuns.untidied(deps.box)) {
    if (left.id === own) continue;
    signal.throwIfAborted();
    await quietly(async () => {
      if (!left.closed && !(await isClosed(left.run))) return;
      const tidy = left.kind === 'create' ? maker.discard : maker.dropScratch;
      if (await ifUnused(deps, left.stamp, run, () => tidy(left.stamp))) await backupRuns.tidied(left.id);
    });
  }
}

/** Folders that nobody has written for long, of pulls that were given up. `own`: the stamp of what is made now. */
export async function tidyPartials(deps: TidyPartialsDeps, { run, signal, own }: Tidier): Promise<void> {
  const before = deps.now().getTime() - partialGraceMs;
  for (const { stamp, changed_at } of await deps.points.partials()) {
    if (stamp === own || changed_at.getTime() >= before) continue;
    signal.throwIfAborted();
    await quietly(() => ifUnused(deps, stamp, run, () => deps.points.discard(stamp)));
  }
}

/** Nobody can begin to use it meanwhile. False: somebody does. */
async function ifUnused(deps: UnusedDeps, stamp: string, run: RunOfLock, work: () => Promise<void>): Promise<boolean> {
  const resource = pointLock(stamp);
  const taken = await takeLocks(deps, [{ resource, mode: 'exclusive' }], run);
  if ('holder' in taken) return false;
  try {
    await work();
  } finally {
    await deps.locks.release(resource, run.run_id);
  }
  return true;
}

async function quietly(work: () => Promise<unknown>): Promise<void> {
  await work().catch(() => undefined);
}
