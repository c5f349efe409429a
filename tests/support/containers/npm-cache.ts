import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadConfig } from '../../../infra/config.ts';
import { packageRoot } from '../../../infra/package-root.ts';
import { placeFolder } from '../../../infra/stack/download/cached-files.ts';

const run = promisify(execFile);
const inputs = ['package.json', 'package-lock.json', '.npmrc'];

/**
 * A cache of npm with the packages of the lock, for an `npm ci` that has no network. Filled once a lock, and kept with what
 * else this machine has built, where a clean checkout finds it again.
 */
export async function npmCache(): Promise<{ readonly path: string; readonly registry: string }> {
  const hash = createHash('sha256');
  for (const name of inputs) hash.update(readFileSync(join(packageRoot, name)));
  const path = join(loadConfig().cache, `npm-packages-${hash.digest('hex').slice(0, 16)}`);
  if (!existsSync(path)) await placeFolder(path, () => Promise.resolve(existsSync(path)), fill);
  const { stdout } = await run('npm', ['config', 'get', 'registry'], { cwd: packageRoot });
  return { path, registry: stdout.trim() };
}

/** By an installation that is thrown away, since npm fills its cache no other way. */
async function fill(path: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-npm-'));
  try {
    for (const name of inputs) copyFileSync(join(packageRoot, name), join(folder, name));
    const quiet = ['--ignore-scripts', '--no-progress', '--loglevel=error'];
    await run('npm', ['ci', ...quiet, '--cache', path], { cwd: folder, maxBuffer: 2 ** 24 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
