import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from '../../../adapters/postgres/connect.ts';
import { MigrationError, migrateAll } from '../../../adapters/postgres/migrate.ts';
import { packageRoot } from '../../package-root.ts';
import { secret, type Home } from '../home.ts';
import { ensureDatabase, removeStalePidFile, role } from './data.ts';
import type { PostgresPrograms } from './programs.ts';
import { postgresUser } from './user.ts';
import { StackError } from '../stack-error.ts';
import type { Part } from '../supervised.ts';

const run = promisify(execFile);

/** Enough for a home server, small enough for one: the whole stack stays under 1.2 GB. */
export const settings = {
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
  const user = await postgresUser(data);
  if (user !== undefined) await mustBeEnterable(home.root);
  await ensureDatabase(home, user, (args) =>
    run(join(programs.bin, 'initdb'), args, { ...user, cwd: '/', env: { PATH: process.env['PATH'] } }),
  );
  return {
    name: 'postgres',
    argv: [join(programs.bin, 'postgres'), '-D', data, ...asOptions(settings), '-c', `port=${port}`],
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: process.env['TZ'] },
    user,
    // Fast: sessions are ended, nothing is lost, and it does not wait for clients.
    stopSignal: 'SIGINT',
    prepare: () => removeStalePidFile(data),
  };
}

export function asOptions(of: Readonly<Record<string, string>>): string[] {
  return Object.entries(of).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

export async function postgresUrl(home: Home, port: number): Promise<string> {
  return `postgres://${role}:${await secret(home, 'postgres-password')}@127.0.0.1:${port}/postgres`;
}

/** The user that Postgres runs as passes through every folder above its data; no permissions of others are changed. */
export async function mustBeEnterable(root: string): Promise<void> {
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
      const mayPass =
        code === undefined || /^(ECONNREFUSED|ECONNRESET|CONNECT|57P0\d|CONNECTION_|ENOTFOUND|EAI_AGAIN)/.test(code);
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
