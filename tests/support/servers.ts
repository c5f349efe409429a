import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { connect, databaseUrl, type Sql } from '../../adapters/postgres/connect.ts';
import { migrateAll } from '../../adapters/postgres/migrate.ts';
import type { QdrantServer } from '../../adapters/qdrant/connect.ts';
import { packageRoot } from '../../infra/package-root.ts';

export interface TestServers {
  readonly temporalAddress: string;
  readonly databaseUrl: string;
  readonly qdrant: QdrantServer;
}

/** The real servers of this test run, started by global-setup.ts. */
export function servers(): TestServers {
  return {
    temporalAddress: fromSetup('HOLDFAST_TEST_TEMPORAL'),
    databaseUrl: fromSetup('HOLDFAST_TEST_POSTGRES'),
    qdrant: { url: fromSetup('HOLDFAST_TEST_QDRANT'), apiKey: process.env['HOLDFAST_TEST_QDRANT_KEY'] ?? null },
  };
}

export interface TestDatabases {
  readonly database: string;
  readonly dataUrl: string;
  readonly opsUrl: string;
  readonly ops: Sql;
  readonly data: Sql;
  drop(): Promise<void>;
}

/** The two databases, migrated, under a name of their own. */
export async function freshDatabases(): Promise<TestDatabases> {
  const server = servers().databaseUrl;
  const database = `t_${randomBytes(6).toString('hex')}`;
  await migrateAll(server, database, join(packageRoot, 'infra/migrations'));
  const opsUrl = databaseUrl(server, `${database}_ops`);
  const ops = connect(opsUrl, { name: 'holdfast-test' });
  const dataUrl = databaseUrl(server, database);
  const data = connect(dataUrl, { name: 'holdfast-test-data' });
  return {
    database,
    dataUrl,
    opsUrl,
    ops,
    data,
    async drop() {
      await Promise.all([ops.end(), data.end()]);
      const admin = connect(server, { name: 'holdfast-test', max: 1 });
      await admin`drop database if exists ${admin(database)} with (force)`;
      await admin`drop database if exists ${admin(`${database}_ops`)} with (force)`;
      await admin.end();
    },
  };
}

function fromSetup(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is not set: run tests through \`npm test\`, which starts the servers`);
  return value;
}
