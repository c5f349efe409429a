import type { Progress, Watched } from './deps.ts';

const everyMs = 2_000;

/** Tells of a step before it and every two seconds while it works: what another program does says nothing by itself. */
export async function told<T>(
  beat: Watched['beat'],
  step: string,
  work: (done: (bytes: number) => void) => Promise<T>,
  total_bytes: Progress['total_bytes'] = null,
): Promise<T> {
  let done_bytes = 0;
  const tell = () => beat({ step, done_bytes, total_bytes });
  tell();
  const timer = setInterval(tell, everyMs);
  try {
    return await work((bytes) => (done_bytes += bytes));
  } finally {
    clearInterval(timer);
  }
}
