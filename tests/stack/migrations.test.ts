import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, databaseUrl, type Sql } from '../../adapters/postgres/connect.ts';
import { MigrationError, migrateAll } from '../../adapters/postgres/migrate.ts';
import { packageRoot } from '../../infra/package-root.ts';
import { readyPostgres } from '../../infra/stack/postgres/postgres.ts';
import { createFolder } from '../support/own-home.ts';
import { freshDatabases, servers, type TestDatabases } from '../support/servers.ts';

const ours = join(packageRoot, 'infra/migrations');
const folder = createFolder();
let databases: TestDatabases;

beforeEach(async () => {
  databases = await freshDatabases();
});
afterEach(() => databases.drop());
afterAll(() => folder.remove());

/** A copy of our migrations and one more, for the operations database. */
function migrationsWith(name: string, sql: string): string {
  const copy = join(folder.path, name);
  cpSync(ours, copy, { recursive: true });
  writeFileSync(join(copy, 'holdfast_ops', name), sql);
  return copy;
}

function applied(sql: Sql): Promise<{ name: string }[]> {
  return sql<{ name: string }[]>`select name from migrations order by name`;
}

function migrate(migrations: string): Promise<void> {
  return migrateAll(servers().databaseUrl, databases.database, migrations);
}

test('a database that is newer than the code is refused and left as it is', async () => {
  await migrate(migrationsWith('9999-later.sql', 'create table later (id int)'));
  await expect(migrate(ours)).rejects.toThrow(MigrationError);
  await expect(migrate(ours)).rejects.toThrow(/newer than this Holdfast: it has 9999-later\.sql/);
  const patience = { timeoutMs: 5_000, signal: new AbortController().signal };
  await expect(readyPostgres(servers().databaseUrl, databases.database, patience)).rejects.toMatchObject({
    name: 'StackError',
    advice: 'Nothing was changed.',
  });
  expect(await databases.ops`select * from later`).toEqual([]);
});

test('a migration that was changed after it was applied is refused', async () => {
  await migrate(migrationsWith('5000-a.sql', 'create table a (id int)'));
  const changed = migrationsWith('5000-a.sql', 'create table a (id bigint)');
  await expect(migrate(changed)).rejects.toThrow('Migration 5000-a.sql was changed after it was applied');
});

test('a migration that fails leaves neither its tables nor its record, and the next run goes on', async () => {
  const broken = migrationsWith('6000-b.sql', 'create table b (id int); select 1/0');
  await expect(migrate(broken)).rejects.toThrow('division by zero');
  expect((await applied(databases.ops)).map(({ name }) => name)).not.toContain('6000-b.sql');
  await migrate(migrationsWith('6000-b.sql', 'create table b (id int)'));
  expect(await databases.ops`select * from b`).toEqual([]);
});

test('several that migrate the same new databases at once apply each migration once', async () => {
  const database = `${databases.database}_race`;
  await Promise.all([1, 2, 3, 4].map(() => migrateAll(servers().databaseUrl, database, ours)));
  const ops = connect(databaseUrl(servers().databaseUrl, `${database}_ops`), { name: 'holdfast-test', max: 1 });
  const names = (await applied(ops)).map(({ name }) => name);
  expect(names).toEqual((await applied(databases.ops)).map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
  await ops.end();
  await databases.ops`drop database ${databases.ops(database)}`;
  await databases.ops`drop database ${databases.ops(`${database}_ops`)}`;
});
