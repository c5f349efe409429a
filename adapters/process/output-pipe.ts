import { spawnSync } from 'node:child_process';
import { constants, existsSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { LogSegments } from './log-segments.ts';

const chunkBytes = 65_536;

/**
 * The named pipe between a program and its log. Everyone opens it for reading and writing: so the program's writes never
 * fail for want of a reader, whatever happens to the keeper, and the next keeper reads on where the last one stopped.
 */
export class OutputPipe {
  readonly path: string;
  readonly #handle: number;
  readonly #log: LogSegments;

  constructor(folder: string, log: LogSegments) {
    this.path = join(folder, 'output');
    // Node has no call for this; only the holder of the claim comes here, so nobody else makes it at the same time.
    if (!existsSync(this.path)) {
      const made = spawnSync('mkfifo', ['-m', '600', this.path], { stdio: 'ignore' });
      if (made.status !== 0) throw new Error(`mkfifo failed: ${made.error?.message ?? String(made.status)}`);
    }
    this.#log = log;
    this.#handle = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  /** Copies to the log as long as this process lives or until the returned function is called. */
  copy(): () => void {
    const socket = new Socket({ fd: this.#handle, readable: true, writable: false });
    socket.on('data', (chunk: Buffer) => this.#log.write(chunk));
    return () => socket.pause();
  }

  /** Takes what is in the pipe now. Bounded: children that outlive the program may write faster than this reads. */
  drain(): void {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (let left = 16; left > 0; left -= 1) {
      const length = this.#readNow(buffer);
      if (length === 0) return;
      this.#log.write(buffer.subarray(0, length));
    }
  }

  #readNow(buffer: Buffer): number {
    try {
      return readSync(this.#handle, buffer);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }
}
