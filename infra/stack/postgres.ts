import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from '../../adapters/postgres/connect.ts';
import { MigrationError, migrateAll } from '../../adapters/postgres/migrate.ts';
import { packageRoot } from '../package-root.ts';
import { secret, type Home } from './home.ts';
import type { PostgresPrograms } from './postgres-programs.ts';
import { asStackError, StackError } from './stack-error.ts';
import type { Part } from './supervised.ts';

const run = promisify(execFile);
const role = 'holdfast';

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Enough for a home server, small enough for one: the whole stack stays under 1.2 GB. */
const settings = {
  listen_addresses: '127.0.0.1',
  // No sockets: their folder would have to be open to others, and a password is asked for either way.
  unix_socket_directories: '',
  shared_buffers: '64MB',
  max_connections: '60',
  log_min_messages: 'warning',
  log_line_prefix: '%m [%p] ',
};

export async function postgresPart(home: Home, programs: PostgresPrograms, port: number): Promise<Part> {
  const data = home.path('pg', 'data');
  const user = await postgresUser();
  if (user !== undefined) await mustBeEnterable(home.root);
  await initialise(home, programs, user);
  const options = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  return {
    name: 'postgres',
    argv: [join(programs.bin, 'postgres'), '-D', data, ...options],
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: process.env['TZ'] },
    user,
    // Fast: sessions are ended, nothing is lost, and it does not wait for clients.
    stopSignal: 'SIGINT',
    prepare: () => removeStalePidFile(data),
  };
}

export async function postgresUrl(home: Home, port: number): Promise<string> {
  return `postgres://${role}:${await secret(home, 'postgres-password')}@127.0.0.1:${port}/postgres`;
}

/** Postgres refuses to run as root, so as root it is the user that its package made. */
async function postgresUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith('postgres:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) {
    throw new StackError(
      'Postgres cannot run as root, and there is no user `postgres`',
      'Run Holdfast as an ordinary user, or make that user: useradd --system postgres',
    );
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** The user that Postgres runs as passes through every folder above its data; no permissions of others are changed. */
async function mustBeEnterable(root: string): Promise<void> {
  for (let folder = root; ; folder = dirname(folder)) {
    const { mode } = await stat(folder);
    if ((mode & 0o001) === 0) {
      throw new StackError(
        `The user that Postgres runs as cannot enter ${folder}`,
        'As root, set HOLDFAST_HOME to a folder below /var/lib or /srv, or leave it unset.',
      );
    }
    if (folder === dirname(folder)) return;
  }
}

/** A data folder is there whole or not at all: it is made beside, then renamed. */
async function initialise(home: Home, { bin }: PostgresPrograms, user: User | undefined): Promise<void> {
  const folder = home.path('pg');
  const data = join(folder, 'data');
  if (existsSync(join(data, 'PG_VERSION'))) return;
  // Of this process alone: an initdb that outlived its killed supervisor clears up its own folder, not ours.
  const partial = join(folder, `data.partial-${process.pid}`);
  const passwordFile = join(folder, 'password.partial');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    await removePartials(folder);
    await writeFile(passwordFile, await secret(home, 'postgres-password'), { mode: 0o600 });
    if (user !== undefined) {
      await chown(folder, user.uid, user.gid);
      await chown(passwordFile, user.uid, user.gid);
    }
    const args = ['--username', role, '--pwfile', passwordFile, '--auth', 'scram-sha-256', '--encoding', 'UTF8'];
    await run(join(bin, 'initdb'), [...args, '--locale', 'C.UTF-8', '--data-checksums', '-D', partial], {
      ...user,
      cwd: '/',
      env: { PATH: process.env['PATH'] },
    });
    await rename(partial, data);
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? '';
    const full = /No space left on device/.test(said);
    throw asStackError(full ? Object.assign(new Error(said), { code: 'ENOSPC' }) : error, 'making the database');
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** One that is still being written to is tried again until its writer has noticed. */
async function removePartials(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith('data.partial')) continue;
    await rm(join(folder, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** After a power cut the file may name a process that has nothing to do with this data. */
async function removeStalePidFile(data: string): Promise<void> {
  const path = join(data, 'postmaster.pid');
  if (!existsSync(path)) return;
  const pid = (await readFile(path, 'utf8')).split('\n')[0]?.trim();
  const command = await readFile(`/proc/${pid ?? ''}/cmdline`, 'utf8').catch(() => '');
  if (!command.includes(data)) await rm(path, { force: true });
}

/** How long to wait for a server, and what ends the wait. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Waits until the server takes connections, then brings both databases forward. */
export async function readyPostgres(
  url: string,
  database: string,
  { timeoutMs, signal }: Patience,
  advice: PostgresAdvice = ofGivenUrl,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    try {
      await answer(url);
      await migrateAll(url, database, join(packageRoot, 'infra/migrations'));
      return;
    } catch (error) {
      if (error instanceof MigrationError) throw new StackError(error.message, 'Nothing was changed.');
      const { code } = error as { code?: string };
      const mayPass = code === undefined || /^(ECONNREFUSED|ECONNRESET|CONNECT|57P0\d|CONNECTION_)/.test(code);
      if (!mayPass || Date.now() > deadline) throw postgresProblem(url, error, advice);
      await sleep(50);
    }
  }
}

async function answer(url: string): Promise<void> {
  const sql = connect(url, { name: 'holdfast-stack', max: 1 });
  try {
    await sql`select 1`;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** What a person can do depends on whose server it is. */
export interface PostgresAdvice {
  readonly login: string;
  readonly otherwise: string;
}

const checkUrl = 'Check DATABASE_URL: postgres://user:password@host:port/database';
const ofGivenUrl: PostgresAdvice = { login: checkUrl, otherwise: checkUrl };

/** For the server that the stack itself keeps. */
export function ownServer(home: Home): PostgresAdvice {
  const file = join(home.secrets, 'postgres-password');
  return {
    login: `${file} is not the password of this data: put the file back from a backup.`,
    otherwise: `See the log ${join(home.logs, 'postgres.log')}`,
  };
}

/** One line, without the password. */
export function postgresProblem(url: string, error: unknown, advice: PostgresAdvice = ofGivenUrl): StackError {
  const { host, username } = new URL(url);
  const { code, message } = error as { code?: string; message: string };
  const who = `Postgres at ${host}`;
  if (code === '28P01' || code === '28000')
    return new StackError(`${who} refuses user ${username}: ${message}`, advice.login);
  if (code === '42501') {
    return new StackError(
      `${who}: user ${username} may not create databases`,
      `As an administrator: alter role ${username} createdb`,
    );
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new StackError(`${who}: there is no such host`, advice.otherwise);
  return new StackError(`${who} cannot be used: ${message}`, advice.otherwise);
}
