import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { secret, type Home } from '../home.ts';
import type { User } from './user.ts';
import { asStackError } from '../stack-error.ts';

export const role = 'holdfast';

/** Runs initdb with these arguments, as the owner of the data. Throws with what it said as `stderr`. */
type Initdb = (args: readonly string[]) => Promise<unknown>;

/** A data folder is there whole or not at all: it is made beside, then renamed. */
export async function ensureDatabase(home: Home, user: User | undefined, initdb: Initdb): Promise<void> {
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
    await initdb([...args, '--locale', 'C.UTF-8', '--data-checksums', '-D', partial]);
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

/** The major version of the server that made it; null: there is no data yet. */
export async function majorOf(data: string): Promise<number | null> {
  const path = join(data, 'PG_VERSION');
  return existsSync(path) ? Number((await readFile(path, 'utf8')).trim()) : null;
}

/** The process outside of containers that serves this data, as far as it has said so. */
export async function serverOn(data: string): Promise<number | null> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = text.split('\n')[0]?.trim() ?? '';
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return pid !== '' && command.includes(data) ? Number(pid) : null;
}

/** After a power cut the file may name a process that has nothing to do with this data. */
export async function removeStalePidFile(data: string): Promise<void> {
  if ((await serverOn(data)) === null) await rm(join(data, 'postmaster.pid'), { force: true });
}
