import type { RunOfLock } from '../../domain/lock.ts';
import { turnFor } from '../../domain/lock.ts';
import type { Sql } from './connect.ts';

export interface LockWish {
  readonly resource: string;
  readonly mode: 'shared' | 'exclusive';
}

export interface HeldLock extends LockWish, RunOfLock {
  /** Fencing token: shown before each write. */
  readonly token: string;
}

export type LockStore = ReturnType<typeof createLockStore>;

/** Locks between pipelines (design.md). They belong to a run, and are reaped when Temporal says that the run is closed. */
export function createLockStore(sql: Sql) {
  return {
    /**
     * All or none. Taking again what this run holds already gives the same tokens; a conflict gives the holders. A run that has
     * the turn for a resource goes first, so that no stream of shared holders keeps an exclusive one waiting for ever; whoever
     * holds the resource by then keeps it.
     */
    acquire: (wishes: readonly LockWish[], run: RunOfLock): Promise<{ held: HeldLock[] } | { holders: HeldLock[] }> =>
      sql.begin(async (tx) => {
        // Taken in one order by everybody, so that two runs never wait for each other.
        for (const { resource } of [...wishes].sort((a, b) => (a.resource < b.resource ? -1 : 1))) {
          await tx`select pg_advisory_xact_lock(hashtext('holdfast.locks'), hashtext(${resource}))`;
        }
        const holders: HeldLock[] = [];
        for (const { resource, mode } of wishes) {
          holders.push(
            ...(await tx<HeldLock[]>`
              select resource, mode, workflow_id, run_id, token from locks where resource = ${resource}
              and run_id <> ${run.run_id} and (mode = 'exclusive' or ${mode} = 'exclusive')
              union all
              select resource, mode, workflow_id, run_id, token from locks where resource = ${turnFor(resource)}
              and run_id <> ${run.run_id}
              and not exists (select 1 from locks where resource = ${resource} and run_id = ${run.run_id})`),
          );
        }
        if (holders.length > 0) return { holders };
        const held: HeldLock[] = [];
        for (const { resource, mode } of wishes) {
          held.push(
            ...(await tx<HeldLock[]>`
              insert into locks (resource, mode, workflow_id, run_id)
              values (${resource}, ${mode}, ${run.workflow_id}, ${run.run_id})
              on conflict (resource, run_id) do update set mode = excluded.mode
              returning resource, mode, workflow_id, run_id, token`),
          );
        }
        return { held };
      }),

    /** Does this token still hold its resource? */
    async holds(resource: string, token: string): Promise<boolean> {
      const rows = await sql`select 1 from locks where resource = ${resource} and token = ${token}`;
      return rows.length > 0;
    },

    /** Who has a resource for itself; null: nobody. */
    async exclusiveHolder(resource: string): Promise<HeldLock | null> {
      const [row] = await sql<HeldLock[]>`
        select resource, mode, workflow_id, run_id, token from locks where resource = ${resource} and mode = 'exclusive'`;
      return row ?? null;
    },

    /** `but`: resources that it keeps. */
    async releaseRun(runId: string, but: readonly string[] = []): Promise<void> {
      await sql`delete from locks where run_id = ${runId} and resource <> all(${[...but]}::text[])`;
    },

    /** One of those that the run holds. */
    async release(resource: string, runId: string): Promise<void> {
      await sql`delete from locks where resource = ${resource} and run_id = ${runId}`;
    },

    list: (): Promise<HeldLock[]> =>
      sql<HeldLock[]>`select resource, mode, workflow_id, run_id, token from locks order by token`,
  };
}
