import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Umzug } from 'umzug';
import { connect, databaseUrl, type Sql } from './connect.ts';

export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

/**
 * Creates the data and the operations database where they are missing and brings both forward, each migration in a
 * transaction of its own. Throws MigrationError when a database is newer than this code, or when an applied migration is
 * not the file that is here.
 */
export async function migrateAll(serverUrl: string, database: string, migrationsFolder: string): Promise<void> {
  await createDatabase(serverUrl, database);
  await createDatabase(serverUrl, `${database}_ops`);
  await migrateDatabase(databaseUrl(serverUrl, database), join(migrationsFolder, 'holdfast'));
  await migrateDatabase(databaseUrl(serverUrl, `${database}_ops`), join(migrationsFolder, 'holdfast_ops'));
}

async function createDatabase(serverUrl: string, database: string): Promise<void> {
  const sql = connect(serverUrl, { name: 'holdfast-migrate', max: 1 });
  try {
    const found = await sql`select 1 from pg_database where datname = ${database}`;
    if (found.length === 0) await sql`create database ${sql(database)} template template0 encoding 'UTF8'`;
  } catch (error) {
    // Another process created it in between: seen at once, or only by the unique index of the names.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
  } finally {
    await sql.end();
  }
}

/** One database that is there, from whatever version. Throws as `migrateAll` does. */
export async function migrateDatabase(url: string, folder: string): Promise<void> {
  const sql = connect(url, { name: 'holdfast-migrate', max: 2 });
  try {
    // One process at a time; the others wait and then find nothing to do.
    await sql.begin(async (lock) => {
      await lock`select pg_advisory_xact_lock(hashtext('holdfast.migrations'))`;
      await sql`create table if not exists migrations (
        name text primary key, sha256 text not null, applied_at timestamptz not null default now())`;
      const migrations = await readMigrations(folder);
      await refuseForeignHistory(sql, migrations);
      await runner(sql, migrations).up();
    });
  } finally {
    await sql.end();
  }
}

async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(folder, name), 'utf8');
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function refuseForeignHistory(sql: Sql, migrations: readonly Migration[]): Promise<void> {
  const applied = await sql<{ name: string; sha256: string }[]>`select name, sha256 from migrations order by name`;
  for (const { name, sha256 } of applied) {
    const here = migrations.find((migration) => migration.name === name);
    if (here === undefined) {
      throw new MigrationError(`The database is newer than this Holdfast: it has ${name}. Run a newer version.`);
    }
    if (here.sha256 !== sha256) {
      throw new MigrationError(`Migration ${name} was changed after it was applied. Restore the file it was.`);
    }
  }
}

function runner(sql: Sql, migrations: readonly Migration[]): Umzug {
  return new Umzug({
    logger: undefined,
    migrations: migrations.map((migration) => ({
      name: migration.name,
      up: async () => {
        // The migration and its record are one transaction: a crash leaves both or none.
        await sql.begin(async (tx) => {
          await tx.unsafe(migration.sql);
          await tx`insert into migrations (name, sha256) values (${migration.name}, ${migration.sha256})`;
        });
      },
    })),
    storage: {
      executed: async () => (await sql<{ name: string }[]>`select name from migrations`).map((row) => row.name),
      logMigration: () => Promise.resolve(),
      unlogMigration: () => Promise.reject(new MigrationError('Migrations only go forward')),
    },
  });
}
