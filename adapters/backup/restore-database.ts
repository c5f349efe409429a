import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManifestDraft } from '../../domain/backup/manifest.ts';
import { isPermanentFailure, PermanentFailure } from '../../domain/failures.ts';
import { noRoomOr } from '../files/no-room.ts';
import { databaseUrl, type Sql } from '../postgres/connect.ts';
import { quoted } from '../postgres/quoted.ts';
import type { BackupServers, MemberReader, Watched } from './deps.ts';
import { lastLine } from './dump-database.ts';
import { findPostgresTools, serverVersion } from './postgres-tools.ts';
import { asAdmin, closeRestorer, createRestorer, dropRestorer, restorerName } from './scratch-role.ts';
import { unpackTar } from './tar-unpack.ts';
import { counting, told } from './told.ts';

export interface RestoreDatabaseRequest extends Watched {
  readonly role: 'data' | 'ops';
  /** A new one, named so that it is nobody's: `…_scratch_…` or `…_restore_…`. What has that name is dropped first. */
  readonly database: string;
  readonly manifest: Pick<ManifestDraft, 'databases' | 'members'>;
  /** For the dump, for as long as it is restored. */
  readonly workFolder: string;
}

export interface RestoredDatabase {
  readonly database: string;
  /** Whom everything in it belongs to. */
  readonly owner: string;
}

const jobs = 2;

/**
 * Restores one into a new database, made from template0, by a role without superuser rights, ended by the first error. The dump is
 * unpacked and its hash known before a byte of it is restored. Throws PermanentFailure `RestoreRefused` with what pg_restore said,
 * `NoRoom`, and as members are read.
 */
export async function restoreDatabase(
  deps: BackupServers & { readonly reader: MemberReader },
  request: RestoreDatabaseRequest,
): Promise<RestoredDatabase> {
  const { role, database, manifest, workFolder, signal, beat } = request;
  const { major } = await serverVersion(deps.postgresUrl);
  const tools = await findPostgresTools(deps.postgresBins, major);
  const folder = join(workFolder, `restore-${role}-${database}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const member = memberOf(manifest, role);
    const unpack = (done: (bytes: number) => void) =>
      unpackTar(counting(deps.reader.open(member, signal), done), folder, signal);
    await told(beat, `unpack ${role}`, unpack, member.plain.bytes);
    return await asAdmin(deps.postgresUrl, async (admin) => {
      const restorer = await freshDatabase(admin, deps.postgresUrl, database);
      try {
        const args = [...always, `--jobs=${jobs}`, `--dbname=${database}`, folder];
        const how = { url: restorer.url(database), cwd: '/', signal };
        const restore = () => tools.run('pg_restore', args, how);
        // How large it becomes is not known before.
        const { exit_code, stderr } = await told(beat, `restore ${role}`, restore, null, () => sizeOf(admin, database));
        if (exit_code !== 0) throw restoreFailure(role, exit_code, stderr);
        // Nobody else does before it is asked; without figures plans are bad.
        await told(beat, `analyze ${role}`, () =>
          asAdmin(databaseUrl(deps.postgresUrl, database), (inside) => inside`analyze`),
        );
        return { database, owner: restorer.role };
      } finally {
        await closeRestorer(admin, restorer, database);
      }
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Gives a restored database to the role that the application has. As often as it is asked. */
export async function handOverDatabase(
  deps: Pick<BackupServers, 'postgresUrl'>,
  { database }: Pick<RestoredDatabase, 'database'>,
): Promise<void> {
  const restorer = restorerName(database);
  await asAdmin(deps.postgresUrl, async (admin) => {
    if ((await admin`select 1 from pg_roles where rolname = ${restorer}`).length === 0) return;
    await admin.unsafe(`alter database ${quoted(database)} owner to current_user`);
    await asAdmin(databaseUrl(deps.postgresUrl, database), async (inside) => {
      await inside.unsafe(`reassign owned by ${quoted(restorer)} to current_user`);
      await inside.unsafe(`drop owned by ${quoted(restorer)}`);
    });
    await dropRestorer(admin, database);
  });
}

/** With everything in it and the role that restored it, also when sessions are open. What is gone is fine. */
export async function dropRestoredDatabase(deps: Pick<BackupServers, 'postgresUrl'>, database: string): Promise<void> {
  mustBeOurs(database);
  await asAdmin(deps.postgresUrl, async (admin) => {
    await admin.unsafe(`drop database if exists ${quoted(database)} with (force)`);
    await dropRestorer(admin, database);
  });
}

const always = [
  ...['--exit-on-error', '--no-owner', '--no-privileges', '--no-tablespaces'],
  ...['--no-publications', '--no-subscriptions', '--no-security-labels'],
];

async function freshDatabase(admin: Sql, postgresUrl: string, database: string) {
  mustBeOurs(database);
  await admin.unsafe(`drop database if exists ${quoted(database)} with (force)`);
  const restorer = await createRestorer(admin, postgresUrl, database);
  await admin.unsafe(
    `create database ${quoted(database)} owner ${quoted(restorer.role)} template template0 encoding 'UTF8'`,
  );
  await admin.unsafe(`revoke all on database ${quoted(database)} from public`);
  return restorer;
}

/** The live database has no such name: no mistake of a caller can drop it. */
function mustBeOurs(database: string): void {
  if (!/_(scratch|restore)_[a-z0-9_]+$/.test(database) || database.length > 63)
    throw new Error(`Not the name of a restored database: ${database}`);
}

async function sizeOf(admin: Sql, database: string): Promise<number> {
  const [row] = await admin<{ bytes: string }[]>`select pg_database_size(${database}) as bytes`;
  return Number(row?.bytes ?? 0);
}

function memberOf({ databases, members }: RestoreDatabaseRequest['manifest'], role: 'data' | 'ops') {
  const name = databases.find((database) => database.role === role)?.member;
  const member = members.find((each) => each.name === name);
  return member ?? refuse(`The point has no dump of ${role}`);
}

/** A server that is full, or went away meanwhile, says nothing of the dump: only the rest is the point's own fault. */
export function restoreFailure(role: string, exit_code: number, stderr: string): Error {
  const reason = reasonIn(stderr);
  const error = noRoomOr(new Error(`pg_restore of ${role} ended with ${exit_code}: ${reason}`)) as Error;
  const bySignal = exit_code > 128;
  if (isPermanentFailure(error) || bySignal || serverAway.test(reason)) return error;
  return new PermanentFailure('RestoreRefused', error.message);
}

const serverAway =
  /server closed the connection|connection to server|to the server|from server|terminating connection|the database system is/;

function reasonIn(stderr: string): string {
  const error = stderr.split('\n').find((line) => /error:/.test(line));
  return (error ?? lastLine(stderr)).replace(/^pg_restore: error: /, '');
}

function refuse(message: string): never {
  throw new PermanentFailure('RestoreRefused', message);
}
