import { nanoseconds, type Place } from './log-position.ts';

/** One entry of Docker's log: a line, or 16 KiB of a longer one. */
export interface Message {
  readonly stream: number;
  readonly time: bigint;
  readonly text: Buffer;
}

const headerBytes = 8;
const systemError = 3;

/** Docker's frames, each with one message that begins with its time. Throws what Docker reports in between. */
export async function* messagesIn(answer: AsyncIterable<Buffer>): AsyncGenerator<Message> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of answer) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= headerBytes) {
      const end = at + headerBytes + rest.readUInt32BE(at + 4);
      if (rest.length < end) break;
      yield message(rest[at] ?? 0, rest.subarray(at + headerBytes, end));
      at = end;
    }
    rest = rest.subarray(at);
  }
}

function message(stream: number, frame: Buffer): Message {
  if (stream === systemError) throw new Error(`Docker cannot read this log: ${frame.toString('utf8').trim()}`);
  const space = frame.indexOf(0x20);
  return { stream, time: nanoseconds(frame.toString('latin1', 0, space)), text: frame.subarray(space + 1) };
}

export interface Line {
  readonly text: string;
  readonly stream: number;
  /** Of its last message. */
  readonly time: bigint;
  readonly nth: number;
  /** Of the oldest message that belongs to it. */
  readonly since: bigint;
  /** Of the oldest message that belongs to a line that had begun and not ended when this one ended; its own time, if none. */
  readonly sinceNext: bigint;
}

interface Begun {
  readonly parts: Buffer[];
  readonly since: bigint;
  time: bigint;
  nth: number;
}

const newline = 0x0a;
// Of a line without end: it is shown in pieces of a mebibyte.
const mostParts = 64;
// Messages of one time are close together: what was counted long ago need not be remembered.
const mostTimes = 50_000;

/** Puts messages together to lines, in the order in which they ended. */
export class LineAssembly {
  readonly #begun = new Map<number, Begun>();
  readonly #counted = new Map<bigint, number>();

  /** Which message of its time this is. */
  count({ time }: Message): number {
    const nth = (this.#counted.get(time) ?? 0) + 1;
    this.#counted.set(time, nth);
    if (this.#counted.size > mostTimes) this.#counted.delete(firstOf(this.#counted) ?? time);
    return nth;
  }

  /** The line that ends with this message, if one does. */
  add({ stream, time, text }: Message, nth: number): Line | null {
    const begun = this.#begun.get(stream) ?? { parts: [], since: time, time, nth };
    this.#begun.set(stream, begun);
    begun.parts.push(text);
    Object.assign(begun, { time, nth });
    return text.at(-1) === newline || begun.parts.length >= mostParts ? this.#end(stream, begun) : null;
  }

  /** What was begun on this stream has been read before. */
  forget(stream: number): void {
    this.#begun.delete(stream);
  }

  /** The lines that will not be ended, because their program is gone. */
  rest(): Line[] {
    return [...this.#begun].map(([stream, begun]) => this.#end(stream, begun));
  }

  #end(stream: number, { parts, since, time, nth }: Begun): Line {
    this.#begun.delete(stream);
    const whole = Buffer.concat(parts);
    const text = whole.toString('utf8', 0, whole.at(-1) === newline ? whole.length - 1 : whole.length);
    const others = [...this.#begun.values()].map((each) => each.since);
    return { text, stream, time, nth, since: oldest([time, since]), sinceNext: oldest([time, ...others]) };
  }
}

function firstOf<T>(map: ReadonlyMap<T, unknown>): T | undefined {
  return map.keys().next().value;
}

function oldest(times: readonly bigint[]): bigint {
  return times.reduce((one, other) => (other < one ? other : one));
}

export function placeBehind(container: string, { time, nth, sinceNext }: Line): Place {
  return { container, time, nth, since: sinceNext, side: 'behind' };
}

/** `others`: lines that had begun before it must be seen whole too. */
export function placeBefore(container: string, { time, nth, since, sinceNext }: Line): Place {
  return { container, time, nth, since: oldest([since, sinceNext]), side: 'before' };
}
