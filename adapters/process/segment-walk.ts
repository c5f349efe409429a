import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** A place in the log of an instance, for ever: numbers of segments are never used twice. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

export interface Line {
  readonly text: string;
  readonly bytes: number;
  readonly start: Place;
  /** Lines right before this one were rotated away before they were read. */
  readonly gap: boolean;
}

interface OpenSegment {
  readonly handle: FileHandle;
  /** Nothing will be added: there is a later one, or the writer has ended. */
  readonly final: boolean;
  readonly last: boolean;
  /** What was read and not taken yet. */
  rest: Buffer;
  drained: boolean;
}

export const longestLine = 65_536;
const blockBytes = 4 * longestLine;
const newline = 0x0a;

/**
 * Goes through the lines of a log, forward from a place, while its keeper writes and rotates. A line without its newline is
 * one only when nothing can be added to it any more. Of longer lines than 64 KiB each piece is a line. Must be closed.
 */
export class SegmentWalk {
  readonly #folder: string;
  readonly #ended: boolean;
  #place: Place;
  #gap = false;
  #segment: OpenSegment | null = null;

  /** `ended`: known before the first look, so that nothing comes between that and the end. null: from the first line. */
  constructor(folder: string, from: Place | null, ended: boolean) {
    this.#folder = folder;
    this.#place = from ?? firstPlace;
    this.#ended = ended;
  }

  /** Behind the last line; where the next one will be. */
  get place(): Place {
    return this.#place;
  }

  /** Lines right before `place` were rotated away before they were read. */
  get gap(): boolean {
    return this.#gap;
  }

  /** null: no more for now. */
  async next(): Promise<Line | null> {
    for (;;) {
      const segment = (this.#segment ??= await this.#open());
      if (segment === null) return null;
      const line = await this.#take(segment);
      if (line !== null) return line;
      if (segment.last) return null;
      await this.close();
      // Never reads as a gap what was read to its end.
      this.#place = { segment: this.place.segment + 1, offset: 0 };
    }
  }

  async close(): Promise<void> {
    await this.#segment?.handle.close();
    this.#segment = null;
  }

  /** A later segment is only made when nothing is added to this one any more: so look for one before reading. */
  async #open(): Promise<OpenSegment | null> {
    for (;;) {
      const numbers = await segmentNumbers(this.#folder);
      if (numbers.length === 0) return null;
      const { segment } = this.place;
      const later = numbers.filter((number) => number > segment);
      const [next] = later;
      const handle = await openSegment(this.#folder, segment);
      if (handle !== null) {
        const last = next === undefined;
        return { handle, last, final: !last || this.#ended, rest: Buffer.alloc(0), drained: false };
      }
      if (next === undefined) return null;
      // A listing may miss one that is made meanwhile; only one that cannot be opened is gone for certain.
      this.#place = { segment: next, offset: 0 };
      this.#gap = true;
    }
  }

  async #take(segment: OpenSegment): Promise<Line | null> {
    for (;;) {
      const end = endOfLine(segment.rest, segment.final && segment.drained);
      if (end !== null) return this.#pass(segment, end);
      if (segment.drained) return null;
      segment.rest = await readBlock(segment.handle, this.place.offset, blockBytes);
      segment.drained = segment.rest.length < blockBytes;
    }
  }

  #pass(segment: OpenSegment, { text, taken }: LineEnd): Line {
    const start = this.place;
    const line = { text: segment.rest.toString('utf8', 0, text), bytes: taken, start, gap: this.#gap };
    segment.rest = segment.rest.subarray(taken);
    this.#place = { segment: start.segment, offset: start.offset + taken };
    this.#gap = false;
    return line;
  }
}

export const firstPlace: Place = { segment: 1, offset: 0 };

interface LineEnd {
  readonly text: number;
  /** With the newline, where there is one. */
  readonly taken: number;
}

/** null: the end of the first line is not among these bytes. */
function endOfLine(bytes: Buffer, nothingFollows: boolean): LineEnd | null {
  const at = bytes.indexOf(newline);
  if (at !== -1 && at <= longestLine) return { text: at, taken: at + 1 };
  if (bytes.length > longestLine) {
    const cut = cutOf(bytes);
    return { text: cut, taken: cut };
  }
  return nothingFollows && bytes.length > 0 ? { text: bytes.length, taken: bytes.length } : null;
}

/** Where a line that is too long is cut: not inside a character, if these are characters. */
export function cutOf(bytes: Buffer): number {
  for (let cut = longestLine; cut > longestLine - 4; cut -= 1) if (!continues(bytes[cut])) return cut;
  return longestLine;
}

/** Is this byte inside of a UTF-8 character? */
function continues(byte = 0): boolean {
  return (byte & 0xc0) === 0x80;
}

/** Could a walk have stopped here? `final`: nothing is added to this segment any more. */
export async function isPlace(handle: FileHandle, offset: number, final: boolean): Promise<boolean> {
  const { size } = await handle.stat();
  if (offset === 0 || (final && offset === size)) return true;
  if (offset > size) return false;
  const shortestPiece = longestLine - 3;
  const before = await readBlock(handle, Math.max(0, offset - shortestPiece), Math.min(offset, shortestPiece));
  return before.at(-1) === newline || (before.length === shortestPiece && !before.includes(newline));
}

/** So many bytes from there on; fewer only at the end of the file. */
export async function readBlock(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const block = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await handle.read(block, filled, length - filled, offset + filled);
    if (bytesRead === 0) return block.subarray(0, filled);
    filled += bytesRead;
  }
  return block;
}

/** In ascending order; none where there is no such folder. */
export async function segmentNumbers(folder: string): Promise<number[]> {
  const names = await unlessMissing(readdir(folder));
  const numbers = (names ?? []).map((name) => /^log\.([1-9]\d*)$/.exec(name)?.[1]);
  return numbers
    .filter((number) => number !== undefined)
    .map(Number)
    .sort((one, other) => one - other);
}

/** null: it was rotated away. */
export function openSegment(folder: string, number: number): Promise<FileHandle | null> {
  return unlessMissing(open(join(folder, `log.${number}`), 'r'));
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
