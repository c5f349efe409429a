import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadConfig } from '../../../infra/config.ts';
import { packageRoot } from '../../../infra/package-root.ts';
import { findGo } from '../../../infra/stack/prerequisites.js';

const run = promisify(execFile);
const moduleFolder = join(packageRoot, 'infra/temporal');
const programs = {
  'temporal-server': 'go.temporal.io/server/cmd/server',
  'temporal-sql-tool': 'go.temporal.io/server/cmd/tools/sql',
};

/**
 * The programs of Temporal's images, built once from the module that the `temporal` of a box is built from: the server, and
 * the tool that makes its tables.
 */
export async function buildTemporalServer(): Promise<readonly string[]> {
  const hash = createHash('sha256').update(readFileSync(join(moduleFolder, 'go.sum')));
  const folder = join(loadConfig().cache, `temporal-server-${hash.digest('hex').slice(0, 12)}`);
  mkdirSync(folder, { recursive: true });
  const built: string[] = [];
  for (const [name, source] of Object.entries(programs)) {
    const path = join(folder, name);
    if (!existsSync(path)) await build(source, path);
    built.push(path);
  }
  return built;
}

async function build(source: string, path: string): Promise<void> {
  const go = await findGo();
  if (go === null) throw new Error('No Go 1.25 or newer, with which the Temporal server of the containers is built');
  const part = `${path}.${process.pid}`;
  const argv = ['build', '-mod=readonly', '-buildvcs=false', '-trimpath', '-ldflags', '-s -w', '-o', part, source];
  await run(go, argv, { cwd: moduleFolder, env: { ...process.env, GOTOOLCHAIN: 'local' }, maxBuffer: 2 ** 24 });
  renameSync(part, path);
}
