import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { Readable } from 'node:stream';
import type { Environment } from '../process/inherited-env.ts';
import { createGitEnvironment } from './git.ts';

/** Contents of a repository by their ids, one after the other. */
export interface Blobs {
  /** To be read to its end, or destroyed, before the next one comes. null: the repository does not have it. */
  open(oid: string, signal: AbortSignal): Promise<Readable | null>;
  close(): void;
}

/** One `git cat-file --batch` for all of them, begun when the first is asked for, and anew after one that was broken off. */
export function createBlobs({
  root,
  env,
  gitDir,
}: {
  readonly root: string;
  readonly env: Environment;
  readonly gitDir: string;
}): Blobs {
  const environment = createGitEnvironment(root, env);
  let batch: ReturnType<typeof startBatch> | null = null;
  let before: Promise<void> = Promise.resolve();

  async function* contentOf(
    from: ReturnType<typeof startBatch>,
    bytes: number,
    done: () => void,
  ): AsyncGenerator<Buffer> {
    let whole = false;
    try {
      yield* from.take(bytes);
      for await (const end of from.take(1)) whole = end.length === 1;
    } finally {
      if (!whole) drop(from);
      done();
    }
  }

  function drop(broken: ReturnType<typeof startBatch>): void {
    broken.end();
    if (batch === broken) batch = null;
  }

  return {
    async open(oid, signal) {
      if (!/^[0-9a-f]{40,64}$/.test(oid)) throw new Error(`Not the id of a blob: ${oid}`);
      const mine = before;
      let done = (): void => undefined;
      before = new Promise((resolve) => (done = resolve));
      await mine;
      try {
        signal.throwIfAborted();
        batch ??= startBatch(gitDir, root, await environment(gitDir));
        const bytes = await batch.ask(oid);
        if (bytes === null) done();
        return bytes === null ? null : Readable.from(contentOf(batch, bytes, done), { objectMode: false, signal });
      } catch (error) {
        if (batch !== null) drop(batch);
        done();
        throw error;
      }
    },
    close: () => batch?.end(),
  };
}

function startBatch(gitDir: string, cwd: string, env: Record<string, string>) {
  const child: ChildProcessWithoutNullStreams = spawn('git', ['--git-dir', gitDir, 'cat-file', '--batch'], {
    cwd,
    env,
  });
  let fault: Error | null = null;
  const fail = (error: Error) => (fault ??= error);
  child.on('error', fail).stdin.on('error', fail);
  child.stderr.resume();
  const chunks = child.stdout.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  let left: Buffer = Buffer.alloc(0);

  const more = async (): Promise<Buffer> => {
    const next = await chunks.next();
    if (next.done === true) throw fault ?? new Error('git cat-file ended early');
    return next.value;
  };

  async function* take(bytes: number): AsyncGenerator<Buffer> {
    for (let wanted = bytes; wanted > 0;) {
      if (left.length === 0) left = await more();
      const part = left.subarray(0, wanted);
      left = left.subarray(part.length);
      wanted -= part.length;
      yield part;
    }
  }

  /** How long it is; null: there is no such blob. */
  async function ask(oid: string): Promise<number | null> {
    child.stdin.write(`${oid}\n`);
    let line = left;
    while (!line.includes(10)) line = Buffer.concat([line, await more()]);
    const end = line.indexOf(10);
    left = line.subarray(end + 1);
    const [, type, size] = line.subarray(0, end).toString('latin1').split(' ');
    if (type === 'missing') return null;
    if (type !== 'blob') throw new Error(`${oid} is no blob`);
    return Number(size);
  }

  return { take, ask, end: () => void child.kill('SIGKILL') };
}
