import { createHash } from 'node:crypto';

export interface Measure {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/** Counts and hashes what goes through it. */
export function createMeter() {
  const hash = createHash('sha256');
  let bytes = 0;
  async function* through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      yield chunk;
    }
  }
  /** `bytes`: so far. `result`: of all; once. */
  return { through, bytes: () => bytes, result: (): Measure => ({ bytes, sha256: hash.digest('hex') }) };
}
