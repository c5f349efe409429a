import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import { packageRoot } from '../../infra/package-root.ts';

const entry = 'keeper.ts';
const folder = join(packageRoot, 'adapters/process');

/**
 * The path of a keeper.js that plain Node runs: keeper.ts and what it imports, compiled once per content. Kept in the
 * temporary folder, because a test run that compiles again would pull it away under keepers of another.
 */
export function compileKeeper(): string {
  const sources = closure(entry);
  const hash = createHash('sha256')
    .update(JSON.stringify([...sources]))
    .digest('hex')
    .slice(0, 16);
  const target = join(tmpdir(), `holdfast-keeper-${process.getuid?.() ?? 0}-${hash}`);
  if (!existsSync(target)) compileInto(target, sources);
  return join(target, 'keeper.js');
}

function closure(name: string, found = new Map<string, string>()): Map<string, string> {
  if (found.has(name)) return found;
  const source = readFileSync(join(folder, name), 'utf8');
  found.set(name, source);
  for (const [, imported] of source.matchAll(/from '\.\/([\w-]+\.ts)'/g)) closure(imported ?? '', found);
  return found;
}

function compileInto(target: string, sources: ReadonlyMap<string, string>): void {
  const partial = `${target}.${randomBytes(4).toString('hex')}`;
  mkdirSync(partial, { mode: 0o700 });
  writeFileSync(join(partial, 'package.json'), '{"type":"module"}');
  for (const [name, source] of sources) {
    const { code } = transformSync(source, {
      filename: name,
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'es6' },
    });
    writeFileSync(
      join(partial, name.replace(/ts$/, 'js')),
      code.replace(/(from ["']\.\/[\w-]+)\.ts(["'])/g, '$1.js$2'),
    );
  }
  try {
    renameSync(partial, target);
  } catch (error) {
    // Another test file was first.
    if (!existsSync(target)) throw error;
    rmSync(partial, { recursive: true, force: true });
  }
}
