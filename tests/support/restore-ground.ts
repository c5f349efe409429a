import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { checkSqlite } from '../../adapters/backup/sqlite.ts';
import { unpackTar } from '../../adapters/backup/tar-unpack.ts';
import { createReconciliation } from '../../adapters/generations/reconcile.ts';
import { connect, databaseUrl, type Sql } from '../../adapters/postgres/connect.ts';
import { createEventStore } from '../../adapters/postgres/events.ts';
import { createOutbox } from '../../adapters/postgres/outbox.ts';
import { createRestoreStore } from '../../adapters/postgres/restores.ts';
import { createBesideRestore } from '../../adapters/restore/beside.ts';
import { createFileSides } from '../../adapters/restore/file-sides.ts';
import { createRestoreHealth } from '../../adapters/restore/health.ts';
import type { OpenPoint } from '../../adapters/restore/point.ts';
import { createSides } from '../../adapters/restore/sides.ts';
import { createSearch } from '../../adapters/search/search.ts';
import type { Manifest } from '../../domain/backup/manifest.ts';
import type { RestoreReference } from '../../domain/restore/run.ts';
import { restoreRequestSchema } from '../../domain/restore/schemas.ts';
import { packageRoot } from '../../infra/package-root.ts';
import type { BackupGround, TakenPoint } from './backup-ground.ts';

export type RestoreGround = ReturnType<typeof restoreGround>;

/** Everything that a restore is done with, over the real servers and a point that was really taken. */
export function restoreGround(on: BackupGround, { draft, folder, reader }: TakenPoint) {
  const { postgresUrl, database } = on;
  const { ops, data: pool } = on.ground.databases;
  const { qdrant } = on.ground;
  const restores = createRestoreStore(ops);
  const openPoint: OpenPoint = () => Promise.resolve({ manifest: draft as Manifest, folder, reader });
  return {
    restores,
    openPoint,
    beside: createBesideRestore({ servers: on, restores, openPoint, workFolder: join(on.folder, 'work') }),
    sides: createSides({
      ...{ postgresUrl, database, qdrant, restores },
      migrations: join(packageRoot, 'infra/migrations/holdfast'),
      carryOutbox: () => createOutbox(pool, createEventStore(ops)).carry(),
      agree: async (data, signal) => ({ points: (await createReconciliation({ sql: data, qdrant }).all(signal)).size }),
    }),
    files: createFileSides({ openPoint, checkSqlite, unpack: unpackTar }),
    health: createRestoreHealth({
      ...{ postgresUrl, database },
      searchIn: (sql) => createSearch({ sql, qdrant, embedderOf: () => null }),
      askApi: () => Promise.resolve(null),
    }),

    /** A new restore, as its workflow opens it. */
    async open(): Promise<RestoreReference> {
      const restore_id = randomUUID();
      await restores.open(
        {
          ...{ restore_id, stamp: draft.stamp, box: 'test', actor: 'tester', trigger: 'operator' },
          request: restoreRequestSchema.parse({}),
        },
        { workflow_id: `t-${randomBytes(4).toString('hex')}`, run_id: null },
      );
      return { restore_id, stamp: draft.stamp, lock_token: null };
    },

    /** What everybody who connects sees. */
    async live<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
      const sql = connect(databaseUrl(postgresUrl, database), { name: 'holdfast-test-live', max: 1 });
      try {
        return await work(sql);
      } finally {
        await sql.end();
      }
    },
  };
}
