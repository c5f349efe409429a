import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { packageManager } from './prerequisites.js';
import { WayClosed } from './ways.ts';

const run = promisify(execFile);

/** As root or by sudo, without a question. Throws WayClosed when it cannot be done. */
export async function installSystemPackage(name: string, say: (line: string) => void): Promise<void> {
  const manager = await packageManager();
  if (manager === null) throw new WayClosed(`${name} cannot be installed without apt-get, and root or sudo`);
  say(`installing ${name} with apt-get, once`);
  const apt = manager.at(-1) ?? 'apt-get';
  // sudo hands no environment on, so it is named behind it.
  const asRoot = async (...args: string[]): Promise<void> => {
    const [file = apt, ...rest] = [...manager.slice(0, -1), 'env', 'DEBIAN_FRONTEND=noninteractive', apt, ...args];
    await run(file, rest, { maxBuffer: 2 ** 26 });
  };
  try {
    await asRoot('update', '-qq');
    await asRoot('install', '-y', '-qq', '--no-install-recommends', name);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new WayClosed(`${name} cannot be installed: ${stderr?.trim().split('\n').at(-1) ?? String(error)}`);
  }
}
