import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { loadConfig } from '../../../infra/config.ts';
import { packageRoot } from '../../../infra/package-root.ts';
import { placeFolder } from '../../../infra/stack/download/cached-files.ts';
import { onPath } from '../../../infra/stack/prerequisites.js';

const run = promisify(execFile);
const inputs = ['package.json', 'package-lock.json', '.npmrc'];

/** What an image needs for an `npm ci` that has no network. */
export interface OfflineNpm {
  readonly paths: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly changes: readonly string[];
  /** Once the image is made. */
  readonly remove: () => Promise<void>;
}

/** npm itself, with a cache of the packages of the lock: kept with what else this machine has built, by the lock. */
export async function npmWithCache(): Promise<OfflineNpm> {
  const hash = createHash('sha256');
  for (const name of inputs) hash.update(readFileSync(join(packageRoot, name)));
  const cache = join(loadConfig().cache, `npm-packages-${hash.digest('hex').slice(0, 16)}`);
  if (!existsSync(cache)) await placeFolder(cache, () => Promise.resolve(existsSync(cache)), fill);
  const { stdout } = await run('npm', ['config', 'get', 'registry'], { cwd: packageRoot });
  return {
    ...{ paths: [(await npmFolder()).folder, cache], files: {}, remove: () => Promise.resolve() },
    changes: [`ENV npm_config_offline=true npm_config_cache=${cache} npm_config_registry=${stdout.trim()}`],
  };
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

/**
 * For CI, where filling a cache and installing from it would take longer than all else of the image: what `npm ci` has
 * installed on this machine, out of an archive. All else is done by npm itself.
 */
export async function npmWithInstalled(): Promise<OfflineNpm> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-npm-'));
  const archive = join(folder, 'packages.tar');
  const installed = realpathSync(join(packageRoot, 'node_modules'));
  const from = ['--directory', dirname(installed), '--exclude=node_modules/.cache', 'node_modules'];
  await run('tar', ['--create', '--numeric-owner', '--owner=0', '--group=0', '--file', archive, ...from]);
  const npm = await npmFolder();
  const stand = ['#!/bin/sh', `[ "$*" != ci ] || exec tar -xf ${archive}`, `exec ${npm.program} "$@"`, ''];
  return {
    ...{ paths: [npm.folder, archive], files: { '/usr/local/bin/npm': stand.join('\n') }, changes: [] },
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function npmFolder(): Promise<{ readonly program: string; readonly folder: string }> {
  const program = realpathSync((await onPath('npm')) ?? '');
  return { program, folder: dirname(dirname(program)) };
}
