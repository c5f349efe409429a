import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

/** Bytes and sha256 of a stream, of whatever length. */
export async function hashOf(
  content: Readable,
  count: (bytes: number) => void = () => undefined,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.byteLength;
    count(chunk.byteLength);
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Throws when it is longer than `mostBytes`. */
export async function readWhole(content: Readable, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) throw new Error(`Longer than the ${mostBytes} bytes that are read at most`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
