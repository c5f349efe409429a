import getPort from 'get-port';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../infra/config.ts';
import { embeddedQdrant } from '../../infra/stack/qdrant/embedded.ts';
import type { QdrantServer } from './qdrant.ts';

export interface EmbeddedQdrant {
  readonly server: QdrantServer & { readonly snapshotsPath: string };
  /** Without any chance to tidy up. Back when it is gone. */
  kill(): Promise<void>;
  /** As the stack stops it. Gives its exit code. */
  stop(): Promise<number | null>;
}

/** How it ended before it could answer. */
class QdrantEnded extends Error {
  override readonly name = 'QdrantEnded';
  readonly code: number | null;

  constructor(code: number | null, said: string) {
    super(`the embedded Qdrant ended with ${String(code)}: ${said}`);
    this.code = code;
  }
}

const apiKey = 'a key of this test';
const patienceMs = 30_000;

/** The embedded Qdrant on the storage in `folder`, answering. Throws QdrantEnded when it ends instead, or does not answer. */
export async function startEmbeddedQdrant(folder: string, askedPort?: number): Promise<EmbeddedQdrant> {
  const port = askedPort ?? (await getPort());
  const snapshotsPath = join(folder, 'snapshots');
  const { child, said } = await spawnQdrant({
    QDRANT__SERVICE__HTTP_PORT: String(port),
    QDRANT__SERVICE__API_KEY: apiKey,
    QDRANT__STORAGE__STORAGE_PATH: join(folder, 'storage'),
    QDRANT__STORAGE__SNAPSHOTS_PATH: snapshotsPath,
    QDRANT__LOG_LEVEL: 'WARN',
  });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const url = `http://127.0.0.1:${port}`;
  if (!(await answers(url, () => child.exitCode === null && child.signalCode === null))) {
    child.kill('SIGKILL');
    throw new QdrantEnded((await ended)[0], said());
  }
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return (await ended)[0];
  };
  return {
    server: { url, apiKey, readOnlyKey: null, snapshotsPath },
    async kill() {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
  };
}

async function spawnQdrant(
  settings: NodeJS.ProcessEnv,
): Promise<{ child: ChildProcessByStdio<null, null, Readable>; said: () => string }> {
  const making = { cache: loadConfig().cache, say: () => undefined, signal: new AbortController().signal };
  const { argv, env } = await embeddedQdrant(making);
  const [program, ...args] = argv;
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], ...env, ...settings },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  return { child, said: () => said };
}

async function answers(url: string, lives: () => boolean): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  while (lives() && Date.now() < deadline) {
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok === true) return true;
    await sleep(50);
  }
  return false;
}
