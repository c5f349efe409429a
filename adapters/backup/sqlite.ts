import { dirname, basename } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';
import { runCommand } from '../process/run-command.ts';

/** What every file of SQLite begins with. */
const magic = Buffer.from('SQLite format 3\0', 'latin1');
/** Beside a database: its log, its index and its undo, which are worth something with that very file alone. */
const companions = ['-wal', '-shm', '-journal'];
const busyMs = 20_000;

export function isSqlite(start: Buffer): boolean {
  return start.subarray(0, magic.length).equals(magic);
}

/** The database that a file belongs to by its name; null: none. */
export function companionOf(path: string): string | null {
  const ending = companions.find((each) => path.endsWith(each));
  return ending === undefined ? null : path.slice(0, -ending.length);
}

/**
 * Row B8. A copy as of one moment, by SQLite's online backup, while others write; it is proved before this returns. `target`
 * must not be there. Throws PermanentFailure `FileSetRefused` for a database that is damaged or cannot be read, `NoRoom`,
 * `CommandNotFound`.
 */
export async function backUpSqlite(source: string, target: string, signal: AbortSignal): Promise<void> {
  // One transaction of the same connection: else each write of another one would begin the copy anew, for ever.
  const held = (await journalMode(source, signal)) === 'wal' ? ['begin', 'select count(*) from sqlite_schema'] : [];
  await sqlite(source, dirname(target), [...held, `.backup ${quoted(basename(target))}`], signal);
  await checkSqlite(target, signal, source);
}

/** Throws PermanentFailure `FileSetRefused` with what SQLite's integrity check found; `known` is what it is called there. */
export async function checkSqlite(path: string, signal: AbortSignal, known = path): Promise<void> {
  const found = await sqlite(path, dirname(path), ['pragma integrity_check'], signal, known);
  if (found !== 'ok') refuse(`${known} is damaged: ${found.split('\n')[0] ?? 'no answer'}`);
}

async function journalMode(path: string, signal: AbortSignal): Promise<string> {
  return sqlite(path, dirname(path), ['pragma journal_mode'], signal);
}

async function sqlite(
  path: string,
  cwd: string,
  commands: readonly string[],
  signal: AbortSignal,
  known = path,
): Promise<string> {
  const argv = ['sqlite3', '-batch', '-bail', '-init', '/dev/null', path, `.timeout ${busyMs}`, ...commands];
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent', LC_ALL: 'C.UTF-8' };
  const { exit_code, stdout, stderr } = await runCommand(argv, { cwd, env, signal }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new PermanentFailure(
      'CommandNotFound',
      'The program sqlite3 is not installed, and a file set holds databases of SQLite',
    );
  });
  if (exit_code === 0) return stdout.trim();
  const reason = stderr.trim().split('\n')[0] ?? `exit code ${exit_code}`;
  if (exit_code > 128) throw new Error(`sqlite3 was ended by signal ${exit_code - 128}`);
  // Another process holds it: a later attempt may find it free.
  if (/locked|busy/.test(reason)) throw new Error(`${known} cannot be copied now: ${reason}`);
  if (/database or disk is full/.test(reason))
    throw new PermanentFailure('NoRoom', `No room for a copy of ${known}: ${reason}`);
  return refuse(`${known} cannot be read: ${reason}`);
}

function quoted(name: string): string {
  return `'${name.replaceAll("'", "''")}'`;
}

function refuse(message: string): never {
  throw new PermanentFailure('FileSetRefused', message);
}
