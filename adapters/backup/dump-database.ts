import { createReadStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { noRoomOr } from '../files/no-room.ts';
import type { Snapshot } from './exported-snapshot.ts';
import type { PostgresTools } from './postgres-tools.ts';
import { tarOf, type TarEntry } from './tar-pack.ts';

/** Somebody holds a lock that stops readers for so long: better a failed attempt than a snapshot that stays open for ever. */
const lockWait = '60s';

/** Those of every dump. Uncompressed: the member is compressed as a whole, and its hash is of these bytes. */
const always = [
  ...['--format=directory', '--compress=0', '--encoding=UTF8', '--no-sync', `--lock-wait-timeout=${lockWait}`],
  // What owns things and who may use them is of the server that they are restored into.
  ...['--no-owner', '--no-privileges', '--no-tablespaces', '--no-security-labels', '--no-publications'],
  // A subscription would begin to write at once; what is unlogged a crash may empty, and it is hashed by nobody.
  ...['--no-subscriptions', '--no-unlogged-table-data'],
];

/**
 * Dumps a snapshot into the new folder `folder`, in parallel. pg_dump's exit code is looked at before anything is made of what it
 * wrote. Throws with its last line, PermanentFailure `NoRoom` on a full disk.
 */
export async function dumpDatabase(
  tools: PostgresTools,
  { url, id }: Pick<Snapshot, 'url' | 'id'>,
  { folder, jobs, signal }: { readonly folder: string; readonly jobs: number; readonly signal: AbortSignal },
): Promise<void> {
  const args = [...always, `--jobs=${jobs}`, `--snapshot=${id}`, `--file=${folder}`];
  const { exit_code, stderr } = await tools.run('pg_dump', args, { url, cwd: '/', signal });
  if (exit_code !== 0) throw noRoomOr(new Error(`pg_dump ended with ${exit_code}: ${reasonIn(stderr)}`));
}

/** A folder of a dump, as one member. Each file goes when it is packed: the disk holds it once. */
export function dumpAsTar(folder: string): Readable {
  return tarOf(packed(folder));
}

async function* packed(folder: string): AsyncGenerator<TarEntry> {
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const { size } = await stat(path);
    yield {
      header: { name, size, mode: 0o600, mtime: new Date(0) },
      content: createReadStream(path, { highWaterMark: 2 ** 20 }),
    };
    await rm(path);
  }
}

/** With several jobs the last line is only that one of them has died. */
function reasonIn(stderr: string): string {
  return stderr.split('\n').find((line) => /error:/.test(line)) ?? lastLine(stderr);
}

export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
