import { spawn } from 'node:child_process';
import type { Environment } from '../process/inherited-env.ts';
import { createGitEnvironment } from './git.ts';

export interface TreeEntry {
  /** 100644 and 100755 are files, 120000 is a symbolic link, 160000 a submodule. */
  readonly mode: string;
  /** The id of its content. */
  readonly oid: string;
  /** null: not known, as of a submodule. */
  readonly bytes: number | null;
  /** null: its name is no UTF-8. */
  readonly path: string | null;
}

/** Everything in a commit, one at a time, however large the tree is. Throws when git does. */
export async function* listTree(
  {
    root,
    env,
    gitDir,
    commit,
  }: { readonly root: string; readonly env: Environment; readonly gitDir: string; readonly commit: string },
  signal: AbortSignal,
): AsyncGenerator<TreeEntry> {
  if (!/^[0-9a-f]{40,64}$/.test(commit)) throw new Error(`Not a full commit id: ${commit}`);
  const argv = ['--git-dir', gitDir, 'ls-tree', '-r', '-z', '-l', '--full-tree', commit];
  const environment = await createGitEnvironment(root, env)(gitDir);
  const child = spawn('git', argv, { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'], signal });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-1_000)));
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  ended.catch(() => undefined);
  try {
    for await (const record of records(child.stdout)) yield entryOf(record);
    const code = await ended;
    if (code !== 0) throw new Error(`git ls-tree failed: ${said.trim()}`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Parts between NUL characters. */
async function* records(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0)) {
      yield bytes.subarray(0, end);
      bytes = bytes.subarray(end + 1);
    }
    rest = Buffer.from(bytes);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function entryOf(record: Buffer): TreeEntry {
  const tab = record.indexOf('\t');
  const [mode = '', , oid = '', size = ''] = record.subarray(0, tab).toString('latin1').split(/ +/);
  return { mode, oid, bytes: /^\d+$/.test(size) ? Number(size) : null, path: textOf(record.subarray(tab + 1)) };
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
