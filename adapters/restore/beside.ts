import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { verdictOf } from '../../domain/backup/verdict.ts';
import type { RestoreReference } from '../../domain/restore/run.ts';
import { besideName, collectionSuffix, onSide } from '../../domain/restore/side-names.ts';
import { compareCollection } from '../backup/compare-collection.ts';
import { compareDatabase } from '../backup/compare-database.ts';
import type { BackupServers, Watched } from '../backup/deps.ts';
import { restoreCollection } from '../backup/restore-collection.ts';
import { restoreDatabase } from '../backup/restore-database.ts';
import { connect, databaseUrl, type Sql } from '../postgres/connect.ts';
import type { RestoreStore } from '../postgres/restores.ts';
import { sideOf } from './database-sides.ts';
import type { OpenPoint } from './point.ts';
import type { RestoredAs, SidesJournal } from './sides-journal.ts';

export interface BesideDeps {
  readonly servers: BackupServers;
  readonly restores: Pick<RestoreStore, 'journal' | 'setJournal'>;
  readonly openPoint: OpenPoint;
  /** For dumps, while they are restored. */
  readonly workFolder: string;
}

export type BesideRestore = ReturnType<typeof createBesideRestore>;

/** Restores a point beside what is live, under names that nobody reads, and compares it with its manifest. */
export function createBesideRestore({ servers, restores, openPoint, workFolder }: BesideDeps) {
  const workOf = (restoreId: string): string => join(workFolder, `restore-${restoreId}`);

  async function journalOf(restoreId: string): Promise<SidesJournal> {
    const journal = await restores.journal(restoreId);
    if (journal === null) throw new Error(`Nothing was restored by ${restoreId}`);
    return journal;
  }

  /** An attempt that was given up has the names of the one after it: over that one's journal it writes nothing. */
  async function note(restoreId: string, journal: SidesJournal, { signal }: Watched): Promise<void> {
    signal.throwIfAborted();
    await restores.setJournal(restoreId, journal);
  }

  return {
    /** From the beginning, as often as it is asked: half a database is worth nothing. */
    async database({ restore_id, stamp }: RestoreReference, watched: Watched): Promise<object> {
      const { manifest, reader } = await openPoint(stamp);
      const database = besideName(servers.database, restore_id);
      const admin = connect(servers.postgresUrl, { name: 'holdfast-restore', max: 1 });
      try {
        const live = await sideOf(admin, servers.database);
        if (live === null) throw new Error(`There is no database ${servers.database}`);
        const none = { restored_oid: null, collections: [], old_collections: null, old_projects: [] };
        const begun = { ...none, old_oid: live.oid };
        await note(restore_id, begun, watched);
        const work = workOf(restore_id);
        await mkdir(work, { recursive: true, mode: 0o700 });
        await restoreDatabase(
          { ...servers, reader },
          { role: 'data', database, manifest, workFolder: work, ...watched },
        );
        const made = await sideOf(admin, database);
        await note(restore_id, { ...begun, restored_oid: made?.oid ?? null }, watched);
      } finally {
        await rm(workOf(restore_id), { recursive: true, force: true });
        await admin.end();
      }
      return {};
    },

    /** Of an attempt that died and was not made again: a whole dump, unpacked. */
    tidy: ({ restore_id }: RestoreReference): Promise<void> => rm(workOf(restore_id), { recursive: true, force: true }),

    /** `vectors` false: all of them from the rows. */
    async collections(
      { restore_id, stamp }: RestoreReference,
      vectors: boolean,
      watched: Watched,
    ): Promise<{ rebuilt: readonly string[] }> {
      const { manifest, reader } = await openPoint(stamp);
      const journal = await journalOf(restore_id);
      const data = restoredData(servers, restore_id);
      const done: RestoredAs[] = [];
      try {
        for (const described of manifest.collections) {
          const asked = { member: null, why: 'it was asked for without vectors' };
          const collection = vectors ? described : { ...described, ...asked };
          const into = onSide(collection.name, collectionSuffix(restore_id));
          // Named before it is there, so that it is dropped whatever happens.
          done.push({ name: collection.name, as: into, why: null });
          await note(restore_id, { ...journal, collections: done }, watched);
          const { why } = await restoreCollection(
            { ...servers, reader },
            { collection, manifest, into, data, ...watched },
          );
          done[done.length - 1] = { name: collection.name, as: into, why };
          await note(restore_id, { ...journal, collections: done }, watched);
        }
      } finally {
        await data.end();
      }
      const rebuilt = done.filter(({ why }) => why !== null);
      return { rebuilt: rebuilt.map(({ name, why }) => `${name} was computed from its rows: ${why ?? ''}`) };
    },

    /** L2: of these very objects, before they are touched. */
    async compare({ restore_id, stamp }: RestoreReference, watched: Watched) {
      const { manifest } = await openPoint(stamp);
      const { collections } = await journalOf(restore_id);
      const database = besideName(servers.database, restore_id);
      const data = restoredData(servers, restore_id);
      try {
        const findings = await compareDatabase(servers, { role: 'data', database, manifest, ...watched });
        for (const described of manifest.collections) {
          const made = collections.find(({ name }) => name === described.name);
          if (made === undefined) throw new Error(`${described.name} was not restored`);
          // What was computed from the rows is compared with them, and with the hashes; there is no snapshot to hold it to.
          const collection = made.why === null ? described : { ...described, member: null, why: made.why };
          // A snapshot that is no good was rebuilt, and that was said: it keeps no restore back.
          const restored = { name: made.as, why: made.why, damaged: false };
          findings.push(...(await compareCollection(servers, { collection, manifest, restored, data, ...watched })));
        }
        return verdictOf(findings);
      } finally {
        await data.end();
      }
    },
  };
}

function restoredData({ postgresUrl, database }: BackupServers, restoreId: string): Sql {
  return connect(databaseUrl(postgresUrl, besideName(database, restoreId)), { name: 'holdfast-restore', max: 4 });
}
