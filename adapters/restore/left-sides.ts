import { isPermanentFailure } from '../../domain/failures.ts';
import { passed, type PreflightCheck } from '../../domain/restore/preflight.ts';
import type { RestoreReference } from '../../domain/restore/run.ts';
import type { LeftSide } from '../postgres/restores.ts';
import type { FileSides } from './file-sides.ts';
import type { Sides } from './sides.ts';

export interface LeftSidesDeps {
  readonly left: () => Promise<readonly LeftSide[]>;
  readonly files: Pick<FileSides, 'drop'>;
  readonly sides: Pick<Sides, 'drop'>;
}

export type LeftSides = ReturnType<typeof createLeftSides>;

/**
 * Drops what restores before this one had to leave, because their box or a store was away for too long: it takes room, and its
 * folders are in the way of the next restore. What still cannot be dropped is said, and keeps no restore back by itself.
 */
export function createLeftSides({ left, files, sides }: LeftSidesDeps) {
  /** The point of then may be gone; the one that is restored now names the folders that matter now. */
  async function dropFiles({ restore_id, stamp, side }: LeftSide, now: string): Promise<void> {
    const ref = { restore_id, lock_token: null };
    await files.drop({ ...ref, stamp: now }, side).catch(unlessGone);
    if (stamp !== now) await files.drop({ ...ref, stamp }, side).catch(unlessGone);
  }

  return async ({ stamp }: RestoreReference, signal: AbortSignal): Promise<PreflightCheck[]> => {
    const checks: PreflightCheck[] = [];
    for (const each of await left()) {
      const { restore_id, side } = each;
      try {
        await dropFiles(each, stamp);
        await sides.drop({ restore_id, stamp: each.stamp, lock_token: null }, side, signal, { later: true });
        checks.push(passed(`left.${restore_id}`, `what was ${side} of that restore was left, and is dropped now`));
      } catch (error) {
        signal.throwIfAborted();
        const reason = error instanceof Error ? error.message : String(error);
        checks.push(passed(`left.${restore_id}`, `what was ${side} of that restore is still left: ${reason}`));
      }
    }
    return checks;
  };
}

function unlessGone(error: unknown): void {
  if (!isPermanentFailure(error) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
