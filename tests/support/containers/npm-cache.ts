import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../../infra/package-root.ts';

const run = promisify(execFile);
const inputs = ['package.json', 'package-lock.json', '.npmrc'];

/** A cache of npm with the packages of the lock, filled once a lock, for an `npm ci` that has no network. */
export async function npmCache(): Promise<{ readonly path: string; readonly registry: string }> {
  const hash = createHash('sha256');
  for (const name of inputs) hash.update(readFileSync(join(packageRoot, name)));
  const caches = join(packageRoot, '.cache');
  const name = `npm-${hash.digest('hex').slice(0, 16)}`;
  const path = join(caches, name);
  if (!existsSync(join(path, 'complete'))) {
    for (const old of readdirSync(caches).filter((each) => each.startsWith('npm-') && each !== name))
      rmSync(join(caches, old), { recursive: true, force: true });
    await fill(path);
  }
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
    writeFileSync(join(path, 'complete'), '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
