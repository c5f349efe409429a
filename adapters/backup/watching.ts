import { Transform, type Readable } from 'node:stream';
import type { MemberWriter, Watched } from './deps.ts';

/** How far a step is, told every two seconds whatever happens: what takes long in another program still lives. */
export interface Watch {
  step(name: string, totalBytes?: number | null): void;
  readonly add: (bytes: number) => void;
  /** A writer whose plain bytes count. */
  counted(writer: MemberWriter): MemberWriter;
  end(): void;
}

const everyMs = 2_000;

export function watching({ beat }: Pick<Watched, 'beat'>): Watch {
  let at = { step: 'begin', done_bytes: 0, total_bytes: null as number | null };
  const timer = setInterval(() => beat(at), everyMs);
  timer.unref();
  const add = (bytes: number): void => {
    at = { ...at, done_bytes: at.done_bytes + bytes };
  };
  return {
    step(step, total_bytes = null) {
      at = { step, done_bytes: 0, total_bytes };
      beat(at);
    },
    add,
    counted: (writer) => ({
      ...writer,
      seal: (member, plain, signal) => writer.seal(member, countedStream(plain, add), signal),
    }),
    end: () => clearInterval(timer),
  };
}

function countedStream(plain: Readable, add: (bytes: number) => void): Readable {
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      add(chunk.length);
      done(null, chunk);
    },
  });
  plain.once('error', (error) => counting.destroy(error));
  counting.once('close', () => plain.destroy());
  return plain.pipe(counting);
}
