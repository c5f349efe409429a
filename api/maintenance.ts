import type { LockStore } from '../adapters/postgres/locks.ts';
import { actions, type ActionName } from '../domain/action.ts';
import { isRefusedInMaintenance } from '../domain/restore/maintenance.ts';
import { unavailable } from './problem.ts';

export type DemandOpen = (name: ActionName) => Promise<void>;

/** Restores of a few gigabytes take minutes; whoever comes again sooner is told the same. */
const retryAfterSeconds = 10;

/**
 * Row B6: while a restore or a live drill has the data for itself, what writes is refused with a 503 that says when to come again.
 * Asked for each request: one that was let in a moment too late would be written to the side that goes.
 */
export function createMaintenance(locks: Pick<LockStore, 'exclusiveHolder'>): DemandOpen {
  return async (name) => {
    if (!isRefusedInMaintenance(name, actions[name])) return;
    const holder = await locks.exclusiveHolder('data');
    if (holder === null) return;
    throw unavailable(
      `Data are being restored (${holder.workflow_id}): nothing is written until that is over.`,
      retryAfterSeconds,
    );
  };
}
