import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A real repository for tests, with branch `main`. */
export interface TestRepository {
  readonly path: string;
  git(...args: string[]): string;
  /** Writes files (a value `-> target` is a symbolic link), commits, and returns the commit id. */
  commit(files: Readonly<Record<string, string>>, message?: string): string;
}

export function makeRepository(path: string): TestRepository {
  mkdirSync(path, { recursive: true });
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', path, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  git('init', '--quiet', '--initial-branch=main');
  return {
    path,
    git,
    commit(files, message = 'change') {
      for (const [name, content] of Object.entries(files)) write(join(path, name), content);
      git('add', '--all');
      git('commit', '--quiet', '--allow-empty', '-m', message);
      return git('rev-parse', 'HEAD');
    },
  };
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const target = /^-> (.*)$/.exec(content)?.[1];
  if (target === undefined) writeFileSync(path, content);
  else symlinkSync(target, path);
}
