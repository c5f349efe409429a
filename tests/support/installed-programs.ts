import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { onPath, packageManager } from '../../infra/stack/prerequisites.js';

const run = promisify(execFile);

/** Servers lie where only root has them on its path. */
export const serverPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/**
 * Programs of the system's packages that tests run on, installed where that can be done without a question. Throws with what to
 * do; a test never goes without.
 */
export async function demandPrograms(packages: Readonly<Record<string, string>>, otherwise = ''): Promise<void> {
  const missing = async (): Promise<string[]> => {
    const found = await Promise.all(Object.keys(packages).map((name) => onPath(name, serverPath)));
    return Object.keys(packages).filter((_, index) => found[index] === null);
  };
  // Another set-up may be installing something else: then apt is busy for a while.
  for (let attempt = 0; attempt < 20 && (await missing()).length > 0; attempt += 1) {
    if (attempt > 0) await sleep(3_000);
    await install([...new Set((await missing()).map((name) => packages[name] ?? name))]);
  }
  const names = await missing();
  if (names.length > 0)
    throw new Error(`The tests need ${names.join(' and ')}: install ${Object.values(packages).join(' ')}${otherwise}`);
}

async function install(names: readonly string[]): Promise<void> {
  const apt = await packageManager();
  if (apt === null) return;
  const [file, ...args] = apt;
  // A server that was installed for its program is not started.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = { env, maxBuffer: 16_777_216 };
  const said = (error: unknown) => process.stderr.write(`${String((error as { stderr?: string }).stderr ?? error)}\n`);
  await run(file, [...args, 'update', '-qq'], options).catch(() => undefined);
  await run(file, [...args, 'install', '--yes', '-qq', '--no-install-recommends', ...names], options).catch(said);
}
