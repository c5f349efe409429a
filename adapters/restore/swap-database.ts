import type { Sql } from '../postgres/connect.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { sideOf } from './database-sides.ts';

export interface DatabaseSwap {
  /** The name that everybody connects to. */
  readonly live: string;
  /** What is to have that name. */
  readonly incoming: string;
  /** The name under which what is live now is kept. */
  readonly outgoing: string;
  /** pg_database.oid of what is to be live, which no renaming changes: by it a swap that is through is known. */
  readonly incoming_oid: number;
}

/** Sessions that come back while the rename waits for them to be gone. */
const terminateEveryMs = 20;
/** Postgres itself looks ten times a second, for five seconds, whether everybody is gone. */
const waitForRenameMs = 20_000;

/**
 * Puts another database under the live name: both renames, who may connect, and nothing else, in one transaction. A crash
 * before its commit leaves everything as it was, also for those who are connected; after it, everything is done. While it
 * waits, nobody new gets in: a rename locks the name first. Repeating it does nothing. Needs two connections, of the owner of
 * both databases with the right to create databases, or of a superuser. Throws PermanentFailure `SwapRefused`.
 */
export async function swapDatabases(admin: Sql, swap: DatabaseSwap): Promise<{ readonly swapped: boolean }> {
  const { live, incoming, outgoing, incoming_oid } = swap;
  if ((await sideOf(admin, live))?.oid === incoming_oid) return { swapped: false };
  await refuseUnlessReady(admin, swap);
  const renaming = new AbortController();
  const alone = endSessions(admin, [live, incoming], renaming.signal);
  try {
    await admin.begin(async (tx) => {
      // Everybody who is connected has to go: what takes longer is a session that may not be ended.
      await tx.unsafe(`set local statement_timeout = ${waitForRenameMs}`);
      await tx`alter database ${tx(live)} rename to ${tx(outgoing)}`;
      await tx`alter database ${tx(incoming)} rename to ${tx(live)}`;
      await tx`alter database ${tx(outgoing)} with allow_connections false`;
      await tx`alter database ${tx(live)} with allow_connections true`;
      // An attempt that was given up may have waited here for long: what it meant may be something else by now.
      const [now] = await tx<{ oid: number }[]>`select oid from pg_database where datname = ${live}`;
      if (now?.oid !== incoming_oid) throw refused(`${incoming} became another database meanwhile`);
    });
  } finally {
    renaming.abort();
    await alone;
  }
  return { swapped: true };
}

async function refuseUnlessReady(admin: Sql, { live, incoming, outgoing, incoming_oid }: DatabaseSwap): Promise<void> {
  const [here, coming, taken] = await Promise.all([live, incoming, outgoing].map((name) => sideOf(admin, name)));
  if (here == null) throw refused(`There is no database ${live}`);
  if (coming?.oid !== incoming_oid) throw refused(`${incoming} is not the database that was made ready`);
  if (taken != null) throw refused(`There is a database ${outgoing} already`);
}

/** Over and over, beside the transaction: a pool that is told to go comes back at once, until the rename has the lock. */
async function endSessions(admin: Sql, databases: readonly string[], over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await admin`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = any(${[...databases]}) and pid <> pg_backend_pid() and backend_type = 'client backend'`.catch(
      () => undefined,
    );
    await new Promise((resolve) => setTimeout(resolve, terminateEveryMs));
  }
}

function refused(why: string): PermanentFailure {
  return new PermanentFailure('SwapRefused', why);
}
