import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';
import { connect } from '../postgres/connect.ts';
import { runCommand, type CommandResult } from '../process/run-command.ts';

/** pg_dump and pg_restore of one version. */
export interface PostgresTools {
  /** As pg_dump says it: `15.18 (Debian 15.18-0+deb12u1)`. */
  readonly version: string;
  /** Runs one of them against a database. Every exit code is a result. */
  run(
    program: 'pg_dump' | 'pg_restore',
    args: readonly string[],
    how: {
      /** null: it reads an archive and asks no server. */
      readonly url: string | null;
      readonly cwd: string;
      readonly signal: AbortSignal;
      readonly onOutput?: (chunk: Buffer) => void;
    },
  ): Promise<CommandResult>;
}

/**
 * The first folder whose pg_dump is as new as the server or newer: an older one refuses it. Throws PermanentFailure
 * `PostgresToolsMissing`.
 */
export async function findPostgresTools(bins: readonly string[], serverMajor: number): Promise<PostgresTools> {
  const found: string[] = [];
  for (const bin of bins) {
    const version = await versionOf(bin);
    if (version === null) continue;
    if (Number.parseInt(version, 10) >= serverMajor) return toolsIn(bin, version);
    found.push(version);
  }
  const there = found.length === 0 ? 'none is installed' : `installed: ${found.join(', ')}`;
  throw new PermanentFailure(
    'PostgresToolsMissing',
    `pg_dump and pg_restore of PostgreSQL ${serverMajor} or newer are needed; ${there}`,
  );
}

/** `{ version: '15.18', major: 15 }` of a server. */
export async function serverVersion(url: string): Promise<{ readonly version: string; readonly major: number }> {
  const sql = connect(url, { name: 'holdfast-backup', max: 1 });
  try {
    const [row] = await sql<{ version: string }[]>`select current_setting('server_version') as version`;
    const version = row?.version ?? '';
    return { version, major: Number.parseInt(version, 10) };
  } finally {
    await sql.end();
  }
}

function toolsIn(bin: string, version: string): PostgresTools {
  return {
    version,
    run: (program, args, { url, cwd, signal, onOutput }) =>
      runCommand([join(bin, program), ...args], {
        ...{ cwd, signal, env: { LC_ALL: 'C', PATH: bin, ...(url === null ? {} : connectionEnv(url)) } },
        ...(onOutput === undefined ? {} : { onOutput }),
      }),
  };
}

/** The password is in the environment of the process alone: arguments can be read by everybody on the machine. */
export function connectionEnv(url: string): Record<string, string> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const ssl = Object.fromEntries(
    [...searchParams].flatMap(([name, value]) => (name in sslVariables ? [[sslVariables[name], value]] : [])),
  ) as Record<string, string>;
  return {
    PGHOST: decodeURIComponent(hostname).replace(/^\[|\]$/g, ''),
    PGPORT: port === '' ? '5432' : port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    PGAPPNAME: 'holdfast-backup',
    PGCONNECT_TIMEOUT: '10',
    ...ssl,
  };
}

const sslVariables: Readonly<Record<string, string>> = {
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
};

async function versionOf(bin: string): Promise<string | null> {
  for (const program of ['pg_dump', 'pg_restore']) {
    const there = await access(join(bin, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!there) return null;
  }
  const { exit_code, stdout } = await runCommand([join(bin, 'pg_dump'), '--version'], {
    ...{ cwd: '/', env: { LC_ALL: 'C', PATH: bin }, timeout_ms: 10_000 },
  });
  return exit_code === 0 ? (/\(PostgreSQL\) (.+)/.exec(stdout)?.[1]?.trim() ?? null) : null;
}
