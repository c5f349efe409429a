import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { inheritedEnv, type Environment } from '../process/inherited-env.ts';

/** What zstd itself found wrong with what it was given. */
export class ZstdRefused extends Error {
  override readonly name = 'ZstdRefused';
}

/** Quicker than a disk; more gains little and takes cores from those who work. */
const level = 1;
/** Whoever works goes first: a store that has to wait for a core keeps its writers waiting. */
const niceness = 10;

/** The zstd program between two streams. It has done its work only when the generator ends without an error. */
export function compress(env: Environment) {
  return (source: AsyncIterable<Uint8Array>) => throughZstd(['-q', '-c', `-${level}`, '-T0'], env, source, niceness);
}

export function decompress(env: Environment) {
  return (source: AsyncIterable<Uint8Array>) => throughZstd(['-q', '-c', '-d'], env, source, 0);
}

async function* throughZstd(
  args: readonly string[],
  env: Environment,
  source: AsyncIterable<Uint8Array>,
  nice: number,
): AsyncGenerator<Uint8Array> {
  const child = spawn('zstd', args, { env: inheritedEnv(env), stdio: ['pipe', 'pipe', 'pipe'] });
  if (child.pid !== undefined && nice > 0) yieldToOthers(child.pid, nice);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-1_000)));
  const ended = settled(
    new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve)),
  );
  const fed = settled(pipeline(Readable.from(source, { objectMode: false }), child.stdin));
  // A source that failed looks to zstd like one that ended.
  void fed.then(({ error }) => error !== undefined && !isClosedPipe(error) && child.kill('SIGKILL'));
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const [feeding, end] = await Promise.all([fed, ended]);
    if (end.error !== undefined) throw end.error;
    if (feeding.error !== undefined && !isClosedPipe(feeding.error)) throw feeding.error;
    // Out of memory, or somebody's Ctrl-C: that says nothing of what it was given.
    if (end.value === null) throw new Error('zstd was ended by a signal');
    if (end.value !== 0) throw new ZstdRefused(`zstd ended with ${end.value}: ${said.trim()}`);
    if (feeding.error !== undefined) throw feeding.error;
  } finally {
    child.kill('SIGKILL');
    await Promise.all([fed, ended]);
  }
}

/** One that has ended already is seen by its end. */
function yieldToOthers(pid: number, nice: number): void {
  try {
    setPriority(pid, nice);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SYSTEM_ERROR') throw error;
  }
}

function isClosedPipe(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}

type Settled<T> =
  { readonly value: T; readonly error?: undefined } | { readonly value?: undefined; readonly error: Error };

function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error as Error }),
  );
}
