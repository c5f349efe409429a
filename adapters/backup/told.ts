import { pipeline, Transform, type Readable } from 'node:stream';
import type { Progress, Watched } from './deps.ts';

const everyMs = 2_000;

/**
 * Tells of a step before it and every two seconds while it works: what another program does says nothing by itself. `measure`: how
 * far that is, where it can be seen from outside.
 */
export async function told<T>(
  beat: Watched['beat'],
  step: string,
  work: (done: (bytes: number) => void) => Promise<T>,
  total_bytes: Progress['total_bytes'] = null,
  measure?: () => Promise<number>,
): Promise<T> {
  let done_bytes = 0;
  let ended = false;
  const tell = () => beat({ step, done_bytes, total_bytes });
  const look = async () => {
    done_bytes = (await measure?.().catch(() => null)) ?? done_bytes;
    if (!ended) tell();
  };
  tell();
  const timer = setInterval(() => void look(), everyMs);
  try {
    return await work((bytes) => (done_bytes += bytes));
  } finally {
    ended = true;
    clearInterval(timer);
  }
}

/** The same bytes; how many have gone through is told. An end that breaks takes the other one along. */
export function counting(plain: Readable, done: (bytes: number) => void): Readable {
  const counter = new Transform({
    transform(chunk: Buffer, _, next) {
      done(chunk.byteLength);
      next(null, chunk);
    },
  });
  pipeline(plain, counter, () => undefined);
  return counter;
}
