import { mkdir } from 'node:fs/promises';
import { PermanentFailure } from '../../domain/failures.ts';
import { compareDatabase } from '../backup/compare-database.ts';
import type { BackupServers, Watched } from '../backup/deps.ts';
import { dropRestoredDatabase, handOverDatabase, restoreDatabase } from '../backup/restore-database.ts';
import { connect, databaseUrl, type Sql } from '../postgres/connect.ts';
import { migrateDatabase } from '../postgres/migrate.ts';
import { sideOf, takeAfter } from './database-sides.ts';
import { moveHouse, usedBy, whatStays } from './operations-rows.ts';
import type { OpenPoint } from './point.ts';
import { swapDatabases } from './swap-database.ts';

export interface OperationsDeps {
  readonly servers: BackupServers;
  readonly openPoint: OpenPoint;
  /** infra/migrations/holdfast_ops */
  readonly migrations: string;
  readonly workFolder: string;
  /** The name of this one. */
  readonly box: string;
}

/** This machine has its own, and why: it stays. */
export interface OperationsKept {
  readonly kept_by: string;
}

export interface OperationsRestored {
  readonly kept_by: null;
  /** Whose they were: an own box of another name means that services have to be registered anew. */
  readonly box: string;
  readonly revoked: number;
}

/**
 * The operations database of a point, on a machine that has none of its own: restored beside, compared, made at home here, swapped.
 * Only while nothing of ours runs. A restore of data never does this: it would forget itself. Begun again it begins anew.
 */
export async function restoreOperations(
  deps: OperationsDeps,
  { stamp, signal, beat }: Watched & { readonly stamp: string },
): Promise<OperationsRestored | OperationsKept> {
  const { servers, workFolder, box } = deps;
  const { postgresUrl } = servers;
  const live = `${servers.database}_ops`;
  const [beside, old] = [`${live}_restore_ops`, `${live}_before_ops`];
  await using(postgresUrl, (admin) => admin`drop database if exists ${admin(old)} with (force)`);
  const kept_by = await inside(postgresUrl, live, usedBy);
  if (kept_by !== null) return { kept_by };
  const { manifest, reader } = await deps.openPoint(stamp);
  await mkdir(workFolder, { recursive: true, mode: 0o700 });
  try {
    const asked = { role: 'ops' as const, database: beside, manifest, signal, beat };
    await restoreDatabase({ ...servers, reader }, { ...asked, workFolder });
    const wrong = (await compareDatabase(servers, asked)).find(({ ok }) => !ok);
    if (wrong !== undefined) throw new PermanentFailure('RestoreRefused', `${wrong.check}: ${wrong.reason}`);
    await handOverDatabase(servers, { database: beside });
    await migrateDatabase(databaseUrl(postgresUrl, beside), deps.migrations);
    const kept = await inside(postgresUrl, live, whatStays);
    const boxes = [box, manifest.box];
    const { revoked } = await inside(postgresUrl, beside, (sql) => moveHouse(sql, { stamp, boxes, kept }));
    await using(postgresUrl, async (admin) => {
      await takeAfter(admin, { live, incoming: beside });
      const made = await sideOf(admin, beside);
      if (made === null) throw new Error(`${beside} is gone`);
      await swapDatabases(admin, { live, incoming: beside, outgoing: old, incoming_oid: made.oid });
      await admin`drop database if exists ${admin(old)} with (force)`;
    });
    return { kept_by: null, box: manifest.box, revoked };
  } finally {
    // After the swap nothing has that name.
    await dropRestoredDatabase(servers, beside);
  }
}

const inside = <T>(url: string, database: string, work: (sql: Sql) => Promise<T>): Promise<T> =>
  using(databaseUrl(url, database), work);

async function using<T>(url: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = connect(url, { name: 'holdfast-restore', max: 3 });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}
