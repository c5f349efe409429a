import type { QdrantClient } from '@qdrant/js-client-rest';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RestoreReference } from '../../domain/restore/run.ts';
import { besideName, collectionSuffix, oldName } from '../../domain/restore/side-names.ts';
import { dropRestoredDatabase, handOverDatabase } from '../backup/restore-database.ts';
import { connect, databaseUrl, type Sql } from '../postgres/connect.ts';
import { renewIncarnation } from '../postgres/database-incarnation.ts';
import { migrateDatabase } from '../postgres/migrate.ts';
import type { RestoreStore } from '../postgres/restores.ts';
import { sideOf, takeAfter } from './database-sides.ts';
import { dropDatabaseSide, dropPoints } from './drop-side.ts';
import { collectionsNamed, endUnfinished, moveCollections, projectsNamed } from './restored-rows.ts';
import type { SidesJournal } from './sides-journal.ts';
import { swapDatabases } from './swap-database.ts';

export interface SidesDeps {
  /** Any database of the server, as the application's role. */
  readonly postgresUrl: string;
  readonly database: string;
  readonly qdrant: QdrantClient;
  readonly restores: Pick<RestoreStore, 'journal' | 'setJournal'>;
  /** infra/migrations/holdfast */
  readonly migrations: string;
  /** Events that are noted in the data database, into the audit. */
  readonly carryOutbox: () => Promise<void>;
  /** What is elsewhere and has to agree with the data that are live now: G9, G12. */
  readonly agree: (data: Sql, signal: AbortSignal) => Promise<object>;
}

/** How long writers that were let in before may take; a request of the API has no more. */
const writersBoundMs = 15_000;
const lookEveryMs = 250;

export type Sides = ReturnType<typeof createSides>;

/** Both sides of the data: made ready, swapped, put back, and the one that nobody needs dropped. Every step may be repeated. */
export function createSides(deps: SidesDeps) {
  const { postgresUrl, database, qdrant, restores } = deps;

  async function withAdmin<T>(work: (admin: Sql) => Promise<T>): Promise<T> {
    return using(postgresUrl, 3, work);
  }
  const inside = <T>(name: string, work: (sql: Sql) => Promise<T>): Promise<T> =>
    using(databaseUrl(postgresUrl, name), 2, work);

  async function collectionsOf(suffix: string): Promise<string[]> {
    const { collections } = await qdrant.getCollections();
    return collections.map(({ name }) => name).filter((name) => name.endsWith(suffix));
  }

  async function journalOf({ restore_id }: RestoreReference): Promise<SidesJournal> {
    const journal = await restores.journal(restore_id);
    if (journal === null) throw new Error(`Nothing was restored by ${restore_id}`);
    return journal;
  }

  return {
    /** Until no transaction that began before the lock still writes. What does not end is ended by the swap. */
    async settleWriters(signal: AbortSignal) {
      const until = Date.now() + writersBoundMs;
      const open = await inside(database, async (data) => {
        for (let quiet = 0; ;) {
          const [row] = await data<{ open: number }[]>`
            select count(*)::int as open from pg_stat_activity
            where datname = ${database} and pid <> pg_backend_pid() and backend_xid is not null`;
          quiet = row?.open === 0 ? quiet + 1 : 0;
          if (quiet === 3 || Date.now() > until) return row?.open ?? 0;
          await sleep(lookEveryMs, undefined, { signal });
        }
      });
      await deps.carryOutbox();
      const ok = open === 0;
      return { ok, reason: ok ? 'nobody writes' : `${open} transactions go on; the swap ends them`, detail: { open } };
    },

    /** After L2 only: from here on the restored side is not what the point says any more, but what is to go on from it. */
    async makeReady(ref: RestoreReference): Promise<object> {
      const { restore_id } = ref;
      const beside = besideName(database, restore_id);
      await handOverDatabase({ postgresUrl }, { database: beside });
      await migrateDatabase(databaseUrl(postgresUrl, beside), deps.migrations);
      const old_collections = await inside(database, collectionsNamed);
      const old_projects = await inside(database, projectsNamed);
      const done = await inside(beside, (sql) =>
        sql.begin(async (tx) => ({
          unfinished_waves: await endUnfinished(tx),
          collections: await moveCollections(tx, collectionSuffix(restore_id)),
          incarnation: await renewIncarnation(tx),
        })),
      );
      await withAdmin((admin) => takeAfter(admin, { live: database, incoming: beside }));
      await restores.setJournal(restore_id, { ...(await journalOf(ref)), old_collections, old_projects });
      return done;
    },

    async swap(ref: RestoreReference): Promise<void> {
      const { restored_oid } = await journalOf(ref);
      if (restored_oid === null) throw new Error('There is nothing to be swapped');
      const { restore_id } = ref;
      await withAdmin((admin) =>
        swapDatabases(admin, {
          ...{ live: database, incoming: besideName(database, restore_id), outgoing: oldName(database, restore_id) },
          incoming_oid: restored_oid,
        }),
      );
    },

    /** Where nothing was swapped it does nothing. */
    async swapBack(ref: RestoreReference): Promise<void> {
      const journal = await restores.journal(ref.restore_id);
      if (journal === null) return;
      const old = oldName(database, ref.restore_id);
      await withAdmin(async (admin) => {
        if ((await sideOf(admin, database))?.oid === journal.old_oid) return;
        // By a name that nobody knows; nothing that began before the restore may write into it again (G4).
        await admin`alter database ${admin(old)} with allow_connections true`;
        await inside(old, renewIncarnation);
        const names = { live: database, incoming: old, outgoing: besideName(database, ref.restore_id) };
        await swapDatabases(admin, { ...names, incoming_oid: journal.old_oid });
      });
    },

    takeOver: (_ref: RestoreReference, signal: AbortSignal): Promise<object> =>
      inside(database, (data) => deps.agree(data, signal)),

    /** The side that is not live, and only while it is not. `later`: another restore may have been since. */
    async drop(
      ref: RestoreReference,
      side: 'old' | 'restored',
      signal: AbortSignal,
      { later = false } = {},
    ): Promise<void> {
      const journal = await restores.journal(ref.restore_id);
      if (journal === null) return;
      const { old_oid, restored_oid, collections, old_collections, old_projects } = journal;
      const restored = collections.map(({ as }) => as);
      // What was never made cannot be dropped, and what is live is that of the other one.
      const [name, gone, stays, points] =
        side === 'old'
          ? [oldName(database, ref.restore_id), old_oid, restored_oid, [...(old_collections ?? [])]]
          : [besideName(database, ref.restore_id), restored_oid, old_oid, restored];
      await withAdmin(async (admin) => {
        const live = await sideOf(admin, database);
        // What another one made live is neither of these sides.
        if (live === null || live.oid === gone || (!later && live.oid !== stays))
          throw new Error(`${database} is not the side that is to stay: nothing is dropped`);
        await dropDatabaseSide(admin, { name, oid: gone });
      });
      if (side === 'restored') await dropRestoredDatabase({ postgresUrl }, name);
      const kept = new Set(await inside(database, collectionsNamed));
      // Waves may have made more of them while it was held.
      if (side === 'restored') points.push(...(await collectionsOf(collectionSuffix(ref.restore_id))));
      await dropPoints(
        qdrant,
        { collections: points.filter((each) => !kept.has(each)), projects: old_projects },
        signal,
      );
      await restores.setJournal(ref.restore_id, null);
    },
  };
}

async function using<T>(url: string, max: number, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = connect(url, { name: 'holdfast-restore', max });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}
