import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { workFolderPattern } from '../../../domain/restore/replacement.ts';

export interface BindMounted {
  /** The mount point, which is what a restore is told of. */
  readonly root: string;
  /** The same folder by its other name, as the service in its container has it. */
  readonly source: string;
  readonly inode: () => number;
  remove(name: string): void;
  close(): void;
}

/** A folder that is really bind-mounted somewhere else. Needs root, as Docker does. */
export function bindMounted(): BindMounted {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-bind-'));
  const [source, root] = [join(home, 'source'), join(home, 'mounted')];
  for (const folder of [source, root]) mkdirSync(folder);
  execFileSync('mount', ['--bind', source, root]);
  return {
    ...{ root, source },
    inode: () => statSync(root).ino,
    remove: (name) => rmSync(join(root, name), { recursive: true }),
    close() {
      execFileSync('umount', [root]);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Path -> content, `-> target` of a link, or null of a folder. */
export type Tree = Readonly<Record<string, string | null>>;

export const oldTree: Tree = {
  'same.txt': 'old',
  'only-old.txt': 'old',
  '.hidden': 'old',
  both: null,
  'both/inner.txt': 'old',
  'both/only-old.txt': 'old',
  'empty-old': null,
  'a-file-then-a-folder': 'old',
  link: '-> same.txt',
  'data.db': 'old database',
  'data.db-wal': 'what would be replayed over the new one',
  'data.db-shm': 'old',
};

export const newTree: Tree = {
  'same.txt': 'new',
  'only-new.txt': 'new',
  '.hidden': 'new',
  both: null,
  'both/inner.txt': 'new',
  'a-file-then-a-folder': null,
  'a-file-then-a-folder/x': 'new',
  dangling: '-> nowhere',
  'data.db': 'new database',
};

export function writeTree(folder: string, tree: Tree): void {
  for (const [name, content] of Object.entries(tree)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    if (content === null) mkdirSync(path, { recursive: true });
    else if (content.startsWith('-> ')) symlinkSync(content.slice(3), path);
    else {
      writeFileSync(path, content);
      chmodSync(path, content === 'old' ? 0o640 : 0o600);
      utimesSync(path, 1_700_000_000, 1_700_000_000);
    }
  }
}

/** All that is there, but for the work folder of a replacement. */
export function readTree(folder: string, below = ''): Tree {
  const found: Record<string, string | null> = {};
  for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
    if (below === '' && workFolderPattern.test(entry.name)) continue;
    const name = join(below, entry.name);
    if (entry.isDirectory()) Object.assign(found, { [name]: null }, readTree(folder, name));
    else if (entry.isSymbolicLink()) found[name] = `-> ${readlinkSync(join(folder, name))}`;
    else found[name] = readFileSync(join(folder, name), 'utf8');
  }
  return found;
}
