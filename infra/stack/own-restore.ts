import { join } from 'node:path';
import { readManifest } from '../../adapters/backup/manifest-file.ts';
import { createPoints } from '../../adapters/backup/points.ts';
import { readTrustedKeys } from '../../adapters/backup/signing-key.ts';
import { syncCatalog } from '../../adapters/backup/sync-catalog.ts';
import { connect, databaseUrl } from '../../adapters/postgres/connect.ts';
import { MigrationError } from '../../adapters/postgres/migrate.ts';
import { createRecoveryPointStore } from '../../adapters/postgres/recovery-points.ts';
import { restoreOperations } from '../../adapters/restore/operations.ts';
import { createOpenPoint } from '../../adapters/restore/point.ts';
import { isPermanentFailure } from '../../domain/failures.ts';
import { packageRoot } from '../package-root.ts';
import { postgresPrograms } from '../postgres-programs.ts';
import type { BeforeApps } from './stack.ts';
import { StackError } from './stack-error.ts';

/**
 * Row B6, before a restore that nobody's API was asked for: what only a running worker would have done, and what may be done only while
 * none runs. Throws StackError.
 */
export async function prepareOwnRestore(at: BeforeApps, stamp: string): Promise<void> {
  await bringOperations(at, stamp);
  const { home, servers, config } = at;
  const url = databaseUrl(servers.database_url, `${config.postgres.database}_ops`);
  const sql = connect(url, { name: 'holdfast-stack', max: 1 });
  const points = createPoints(home.path('backups'));
  const trusted = await readTrustedKeys(home.secrets);
  const manifest = (of: string) => readManifest(points.folderOf(of, 'kept'), trusted);
  try {
    // Row B4: the API restores what is in the catalog, and that may be older than the folder.
    await syncCatalog({ recoveryPoints: createRecoveryPointStore(sql), points, maker: { manifest }, box: home.box });
  } finally {
    await sql.end();
  }
}

/**
 * Row B6, the machine is gone: the point that is about to be restored brings services, audit and the rest of the operations database
 * along, where this machine has none of its own. Throws StackError, and then nothing was changed.
 */
async function bringOperations({ config, home, servers, report, signal }: BeforeApps, stamp: string): Promise<void> {
  const { identitiesPath } = config.backup;
  const brought = await restoreOperations(
    {
      servers: {
        ...{ postgresUrl: servers.database_url, database: config.postgres.database, qdrant: servers.qdrant },
        postgresBins: await postgresPrograms(),
      },
      openPoint: createOpenPoint({ home: home.root, identitiesPath, env: process.env }),
      migrations: join(packageRoot, 'infra/migrations/holdfast_ops'),
      workFolder: home.path('backups', 'work'),
      box: home.box,
    },
    { stamp, signal, beat: () => undefined },
  ).catch((error: unknown) => {
    if (!isPermanentFailure(error) && !(error instanceof MigrationError)) throw error;
    throw new StackError(`${stamp} cannot be restored: ${error.message}`, 'See docs/how-to/restore.md.');
  });
  if (brought.kept_by !== null) {
    report.say(`operations database: this machine keeps its own, because ${brought.kept_by}`);
    return;
  }
  const { box, revoked } = brought;
  report.say(`operations database of ${stamp}: it takes the place of an unused one; ${revoked} tokens revoked`);
  if (box !== home.box) report.say(`its services are of the box ${box}, and this one is ${home.box}: set HOLDFAST_BOX`);
}
