import { transformSync } from '@swc/core';
import { createHash, randomBytes } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot } from '../../infra/package-root.ts';

const folders = ['domain', 'adapters', 'activities', 'workflows', 'workers', 'api', 'cli', 'infra'];
const keptMs = 24 * 3_600_000;

/**
 * The programs of the source tree as plain Node runs them: `<root>/dist/cli/main.js` and so on, in a package of their own.
 * Unlike dist/ it is never older than the sources. Compiled once per content (types are left to tsc); a worker finds the
 * workflow bundle of this test run in it.
 */
export function compileTree(): { readonly root: string; readonly program: (path: string) => string } {
  const sources = readSources();
  const root = join(packageRoot, '.cache', `compiled-${hashOf(sources)}`);
  if (!existsSync(root)) compileInto(root, sources);
  return { root, program: (path) => join(root, 'dist', path) };
}

type Sources = ReadonlyMap<string, string>;

function readSources(): Sources {
  const names = folders.flatMap((folder) =>
    readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  const programs = names.filter((name) => /\.[jt]s$/.test(name)).sort();
  return new Map(programs.map((name) => [name, readFileSync(join(packageRoot, name), 'utf8')]));
}

/** Also what is copied, and where the bundle is: another one makes another package. */
function hashOf(sources: Sources): string {
  const hash = createHash('sha256').update(JSON.stringify([...sources]));
  for (const name of ['package.json', 'package-lock.json']) hash.update(readFileSync(join(packageRoot, name)));
  for (const name of readdirSync(join(packageRoot, 'infra/migrations'), { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(packageRoot, 'infra/migrations', name);
    hash.update(name).update(statSync(path).isFile() ? readFileSync(path) : '');
  }
  return hash
    .update(process.env['HOLDFAST_TEST_BUNDLE'] ?? '')
    .digest('hex')
    .slice(0, 16);
}

/** Beside, then in its place: nobody sees half of it, and of several that compile at once the first one counts. */
function compileInto(root: string, sources: Sources): void {
  const partial = `${root}.${randomBytes(4).toString('hex')}`;
  for (const [name, source] of sources) {
    const target = join(partial, 'dist', name.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, name.endsWith('.ts') ? compile(name, source) : source);
  }
  copyFileSync(join(packageRoot, 'package.json'), join(partial, 'package.json'));
  cpSync(join(packageRoot, 'infra/migrations'), join(partial, 'infra/migrations'), { recursive: true });
  for (const name of ['infra/qdrant', 'infra/model']) symlinkSync(join(packageRoot, name), join(partial, name), 'dir');
  symlinkSync(join(packageRoot, 'node_modules'), join(partial, 'node_modules'), 'dir');
  const bundle = process.env['HOLDFAST_TEST_BUNDLE'];
  if (bundle !== undefined) symlinkSync(bundle, join(partial, 'dist/workflow-bundle.js'));
  try {
    renameSync(partial, root);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(root)) throw error;
  }
  removeOld(dirname(root));
}

function compile(name: string, source: string): string {
  const { code } = transformSync(source, {
    filename: name,
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'es6' },
  });
  return code.replace(/\b((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"\n]+)\.ts(['"])/g, '$1.js$2');
}

/** What earlier sources left. A run that still goes on made its own within the day. */
function removeOld(cache: string): void {
  for (const name of readdirSync(cache).filter((one) => one.startsWith('compiled-'))) {
    const path = join(cache, name);
    if (Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > keptMs) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
