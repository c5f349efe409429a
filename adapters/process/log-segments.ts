import { closeSync, fstatSync, ftruncateSync, openSync, readSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface LogLimits {
  /** A segment ends with the line that reaches this size. */
  readonly segment_bytes: number;
  /** So many segments are kept. */
  readonly segments: number;
}

const newline = 0x0a;

/**
 * The log of an instance: log.1, log.2, ... A number is never used twice, so (number, offset) is a place in the stream for
 * ever. Segments end at the end of a line. A full disk costs lines, which are counted, and nothing else.
 */
export class LogSegments {
  readonly #folder: string;
  readonly #limits: LogLimits;
  #number: number;
  #handle: number;
  #size: number;
  #midLine: boolean;
  #dropped = 0;
  #droppedMidLine = false;

  constructor(folder: string, limits: LogLimits) {
    this.#folder = folder;
    this.#limits = limits;
    this.#number = Math.max(1, ...this.#numbers());
    this.#handle = openSync(this.#path(this.#number), 'a+', 0o600);
    this.#size = fstatSync(this.#handle).size;
    this.#midLine = this.#lastByte() !== newline;
  }

  /** A line of Holdfast's own, on a line of its own. */
  note(text: string): void {
    this.write(Buffer.from(`${this.#midLine ? '\n' : ''}[holdfast] ${text}\n`));
  }

  write(chunk: Buffer): void {
    let unwritten = chunk;
    let rest = this.#dropped > 0 ? this.#resume(chunk) : chunk;
    while (rest.length > 0) {
      const room = this.#limits.segment_bytes - this.#size;
      const end = rest.length < room ? -1 : rest.indexOf(newline, Math.max(0, room - 1));
      const piece = end === -1 ? rest : rest.subarray(0, end + 1);
      if (!this.#append(piece)) {
        this.#drop(unwritten);
        return;
      }
      this.#dropped = 0;
      this.#droppedMidLine = false;
      // A line without end must not fill the disk: past twice the size it is cut.
      if (end !== -1 || this.#size >= 2 * this.#limits.segment_bytes) this.#rotate();
      rest = rest.subarray(piece.length);
      unwritten = rest;
    }
  }

  close(): void {
    closeSync(this.#handle);
  }

  #append(bytes: Buffer): boolean {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#handle, bytes, at);
    } catch {
      this.#cutBack();
      return false;
    }
    this.#size += bytes.length;
    this.#midLine = bytes.at(-1) !== newline;
    return true;
  }

  /** Takes away what a failed write left behind, so that lines stay whole. */
  #cutBack(): void {
    try {
      ftruncateSync(this.#handle, this.#size);
    } catch {
      // Then half a line stays; the note about dropped lines begins on a new one.
      this.#midLine = true;
    }
  }

  #drop(bytes: Buffer): void {
    const endsMidLine = bytes.at(-1) !== newline;
    const lines = bytes.filter((byte) => byte === newline).length + (endsMidLine ? 1 : 0);
    this.#dropped += lines - (this.#droppedMidLine ? 1 : 0);
    this.#droppedMidLine = endsMidLine;
  }

  /** Goes on at the beginning of a line, after a note of how many are missing; nothing when none begins here. */
  #resume(chunk: Buffer): Buffer {
    const start = this.#droppedMidLine ? chunk.indexOf(newline) + 1 : 0;
    if (this.#droppedMidLine && start === 0) return chunk.subarray(chunk.length);
    const note = `${this.#midLine ? '\n' : ''}[holdfast] ${this.#dropped} lines could not be written and are lost\n`;
    return Buffer.concat([Buffer.from(note), chunk.subarray(start)]);
  }

  #rotate(): void {
    try {
      const next = openSync(this.#path(this.#number + 1), 'a+', 0o600);
      closeSync(this.#handle);
      this.#handle = next;
    } catch {
      return; // No room for another file: go on in this one and try again after the next line.
    }
    this.#number += 1;
    this.#size = 0;
    const oldest = this.#number - this.#limits.segments + 1;
    for (const number of this.#numbers().filter((each) => each < oldest)) rmSync(this.#path(number), { force: true });
  }

  #lastByte(): number {
    const last = Buffer.from([newline]);
    if (this.#size > 0) readSync(this.#handle, last, 0, 1, this.#size - 1);
    return last[0] ?? newline;
  }

  #numbers(): number[] {
    return readdirSync(this.#folder)
      .map((name) => /^log\.(\d+)$/.exec(name)?.[1])
      .filter((number) => number !== undefined)
      .map(Number);
  }

  #path(number: number): string {
    return join(this.#folder, `log.${number}`);
  }
}
