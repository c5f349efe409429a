import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { connect, type Sql } from '../postgres/connect.ts';
import { quoted } from '../postgres/quoted.ts';

/** Who restores: may do nothing on the server but what the owner of one new database may. */
export interface Restorer {
  readonly role: string;
  /** The server's, as that role. */
  url(database: string): string;
}

/** A name of PostgreSQL has at most 63 bytes. */
const mostBytes = 63;

/**
 * Makes the role that owns a restored database. A dump can have the server run programs and read files, when a superuser restores
 * it. An application role that may make no roles is no superuser: then it restores itself.
 */
export async function createRestorer(admin: Sql, postgresUrl: string, database: string): Promise<Restorer> {
  const [rights] = await admin<{ role: string; may: boolean; is_super: boolean }[]>`
    select rolname as role, rolsuper or rolcreaterole as may, rolsuper as is_super from pg_roles where rolname = current_user`;
  if (rights?.may !== true) return { role: rights?.role ?? '', url: (name) => urlAs(postgresUrl, name, null) };
  const role = restorerName(database);
  const password = randomBytes(24).toString('base64url');
  await dropRestorer(admin, database);
  // As the server would keep it: what is sent may end up in its log.
  await admin.unsafe(`create role ${quoted(role)} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
    connection limit 16 password '${scramOf(password)}'`);
  // Piece by piece: a server that is given a whole table to bring to the disk keeps every other commit waiting until it is through.
  await admin.unsafe(`alter role ${quoted(role)} set backend_flush_after = '512kB'`);
  // Without superuser rights only a member may give a database to a role.
  if (!rights.is_super) await admin.unsafe(`grant ${quoted(role)} to ${quoted(rights.role)}`);
  return { role, url: (name) => urlAs(postgresUrl, name, { role, password }) };
}

export async function closeRestorer(admin: Sql, { role }: Restorer, database: string): Promise<void> {
  if (role === restorerName(database)) await admin.unsafe(`alter role ${quoted(role)} nologin password null`);
}

/** It may own nothing any more. */
export async function dropRestorer(admin: Sql, database: string): Promise<void> {
  await admin.unsafe(`drop role if exists ${quoted(restorerName(database))}`);
}

export function restorerName(database: string): string {
  const whole = `${database}_restorer`;
  if (whole.length <= mostBytes) return whole;
  return `holdfast_restorer_${createHash('sha256').update(database).digest('hex').slice(0, 24)}`;
}

export async function asAdmin<T>(postgresUrl: string, work: (admin: Sql) => Promise<T>): Promise<T> {
  const admin = connect(postgresUrl, { name: 'holdfast-restore', max: 1 });
  try {
    return await work(admin);
  } finally {
    await admin.end({ timeout: 5 });
  }
}

function urlAs(
  postgresUrl: string,
  database: string,
  as: { readonly role: string; readonly password: string } | null,
): string {
  const url = new URL(postgresUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  if (as !== null) {
    url.username = encodeURIComponent(as.role);
    url.password = as.password;
  }
  return url.toString();
}

/** RFC 5803, as PostgreSQL keeps it. */
function scramOf(password: string): string {
  const [salt, rounds] = [randomBytes(16), 4096];
  const salted = pbkdf2Sync(password, salt, rounds, 32, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${stored}:${hmac('Server Key').toString('base64')}`;
}
