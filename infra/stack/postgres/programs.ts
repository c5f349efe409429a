import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { majorOf } from './data.ts';
import { installedPostgres, oldestPostgres, packageManager } from '../prerequisites.js';
import { WayClosed } from '../ways.ts';

const run = promisify(execFile);

export interface PostgresPrograms {
  readonly bin: string;
  readonly major: number;
}

/** The newest installed, but of the major version of the data where there is some. Throws WayClosed when none fits. */
export async function installedPrograms(data: string): Promise<PostgresPrograms> {
  const major = await majorOf(data);
  const installed = await installedPostgres();
  const fits = installed.find((programs) => major === null || programs.major === major);
  if (fits !== undefined) return fits;
  const listed = installed.length === 0 ? '' : `; installed: ${installed.map((each) => each.major).join(', ')}`;
  throw new WayClosed(`PostgreSQL ${major ?? `${oldestPostgres} or newer`} is not installed${listed}`);
}

/** Of whatever version the system's packages are, so only where there is no data yet. Throws WayClosed. */
export async function packagedPrograms(data: string, say: (line: string) => void): Promise<PostgresPrograms> {
  const major = await majorOf(data);
  if (major !== null) throw new WayClosed(`apt-get is not asked for PostgreSQL ${major}`);
  await installByPackageManager(say);
  const [found] = await installedPostgres();
  if (found === undefined) throw new WayClosed('PostgreSQL was installed, but its programs were not found');
  return found;
}

async function installByPackageManager(say: (line: string) => void): Promise<void> {
  const manager = await packageManager();
  if (manager === null) throw new WayClosed('PostgreSQL cannot be installed without apt-get, and root or sudo');
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
    throw new WayClosed(`PostgreSQL cannot be installed: ${stderr?.trim().split('\n').at(-1) ?? String(error)}`);
  } finally {
    await asRoot(['rm', '-f', dropIn]).catch(() => undefined);
    await rm(folder, { recursive: true });
  }
}
