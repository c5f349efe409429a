import type { TransactionSql } from 'postgres';
import type { Sql } from '../postgres/connect.ts';
import { quoted } from '../postgres/quoted.ts';

export interface DatabaseSide {
  readonly oid: number;
  readonly allows_connections: boolean;
  readonly bytes: number;
}

/** null: there is none of this name. */
export async function sideOf(admin: Sql, database: string): Promise<DatabaseSide | null> {
  const [row] = await admin<{ oid: number; datallowconn: boolean; bytes: string }[]>`
    select oid, datallowconn, pg_database_size(oid) as bytes from pg_database where datname = ${database}`;
  return row === undefined ? null : { oid: row.oid, allows_connections: row.datallowconn, bytes: Number(row.bytes) };
}

/** What an operator has set on the live database holds for the one that takes its place: owner, settings, limits, rights. */
export async function takeAfter(admin: Sql, { live, incoming }: { live: string; incoming: string }): Promise<void> {
  await admin.begin(async (tx) => {
    const [own] = await tx<{ owner: string; datconnlimit: number }[]>`
      select pg_get_userbyid(datdba) as owner, datconnlimit from pg_database where datname = ${live}`;
    if (own === undefined) throw new Error(`There is no database ${live}`);
    await tx`alter database ${tx(incoming)} owner to ${tx(own.owner)}`;
    await tx.unsafe(`alter database ${quoted(incoming)} with connection limit ${own.datconnlimit}`);
    await copySettings(tx, live, incoming);
    await copyRights(tx, live, incoming);
  });
}

/** `alter database … set`, for everybody or for one role. */
async function copySettings(tx: TransactionSql, live: string, incoming: string): Promise<void> {
  const settings = await tx<{ role: string | null; name: string; value: string }[]>`
    select case when setrole = 0 then null else pg_get_userbyid(setrole) end as role,
      split_part(setting, '=', 1) as name, substr(setting, strpos(setting, '=') + 1) as value
    from pg_db_role_setting, unnest(setconfig) setting
    where setdatabase = (select oid from pg_database where datname = ${live})`;
  for (const { role, name, value } of settings) {
    const whose =
      role === null ? `database ${quoted(incoming)}` : `role ${quoted(role)} in database ${quoted(incoming)}`;
    // A list as it is stored is what `set` takes; quoting it would make one element of it.
    await tx.unsafe(`alter ${whose} set ${quoted(name)} to ${isList(name) ? value : literal(value)}`);
  }
}

async function copyRights(tx: TransactionSql, live: string, incoming: string): Promise<void> {
  const [{ datacl } = { datacl: null }] = await tx<{ datacl: string | null }[]>`
    select datacl::text from pg_database where datname = ${live}`;
  if (datacl === null) return;
  const rights = await tx<{ grantee: string | null; privilege: string }[]>`
    select case when grantee = 0 then null else pg_get_userbyid(grantee) end as grantee, privilege_type as privilege
    from pg_database, aclexplode(datacl) where datname = ${live}`;
  await tx.unsafe(`revoke all on database ${quoted(incoming)} from public`);
  for (const { grantee, privilege } of rights) {
    const whom = grantee === null ? 'public' : quoted(grantee);
    await tx.unsafe(`grant ${privilege} on database ${quoted(incoming)} to ${whom}`);
  }
}

function isList(name: string): boolean {
  return ['search_path', 'datestyle', 'temp_tablespaces', 'session_preload_libraries'].includes(name.toLowerCase());
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
