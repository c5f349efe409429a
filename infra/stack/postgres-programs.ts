import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installedPostgres, oldestPostgres, packageManager } from './prerequisites.js';
import { StackError } from './stack-error.ts';

const run = promisify(execFile);

export interface PostgresPrograms {
  readonly bin: string;
  readonly major: number;
}

/**
 * The server programs for this data folder: of its own major version if there is data, else the newest installed; where
 * there are none, from the system's package manager. A container comes before that, later.
 */
export async function findOrInstallPostgres(data: string, say: (line: string) => void): Promise<PostgresPrograms> {
  const major = await majorOf(data);
  const installed = await installedPostgres();
  const fits = installed.find((programs) => major === null || programs.major === major);
  if (fits !== undefined) return fits;
  if (major !== null) {
    throw new StackError(
      `The data in ${data} is of PostgreSQL ${major}, which is not installed${listed(installed)}`,
      `Install PostgreSQL ${major}, or set DATABASE_URL to a server.`,
    );
  }
  await installByPackageManager(say);
  const [found] = await installedPostgres();
  if (found === undefined) throw missing('it was installed, but its programs were not found');
  return found;
}

async function majorOf(data: string): Promise<number | null> {
  const path = join(data, 'PG_VERSION');
  return existsSync(path) ? Number((await readFile(path, 'utf8')).trim()) : null;
}

async function installByPackageManager(say: (line: string) => void): Promise<void> {
  const manager = await packageManager();
  if (manager === null) throw missing('it cannot be installed without root or sudo');
  say('installing PostgreSQL with apt-get, once');
  // Debian would make and start a cluster of its own, on a port of its own. This drop-in says not to.
  const dropIn = '/etc/postgresql-common/createcluster.d/holdfast.conf';
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-apt-'));
  const content = join(folder, 'createcluster.conf');
  // sudo hands no environment on, so it is named behind it.
  const asRoot = ([file, ...args]: readonly [string, ...string[]]): Promise<unknown> => {
    const argv = [...manager.slice(0, -1), 'env', 'DEBIAN_FRONTEND=noninteractive', file, ...args];
    return run(argv[0] ?? file, argv.slice(1), { maxBuffer: 2 ** 26 });
  };
  const apt = manager.at(-1) ?? 'apt-get';
  try {
    await writeFile(content, 'create_main_cluster = false\n');
    await asRoot(['install', '-D', '-m', '0644', content, dropIn]);
    await asRoot([apt, 'update', '-qq']);
    await asRoot([apt, 'install', '-y', '-qq', '--no-install-recommends', 'postgresql']);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw missing(`apt-get failed: ${stderr?.trim().split('\n').at(-1) ?? String(error)}`);
  } finally {
    await asRoot(['rm', '-f', dropIn]).catch(() => undefined);
    await rm(folder, { recursive: true });
  }
}

function missing(why: string): StackError {
  return new StackError(
    `No PostgreSQL ${oldestPostgres} or newer was found: ${why}`,
    'Install the package `postgresql`, or set DATABASE_URL to a server.',
  );
}

function listed(installed: readonly PostgresPrograms[]): string {
  return installed.length === 0 ? '' : `; installed: ${installed.map(({ major }) => major).join(', ')}`;
}
