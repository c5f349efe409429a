import { open } from 'node:fs/promises';
import type { ReadableStream } from 'node:stream/web';
import { Readable } from 'node:stream';
import { usageError } from './cli-error.ts';

/** A file as the body of a request. */
export async function openUpload(path: string): Promise<ReadableStream> {
  const file = await open(path).catch((error: unknown) => {
    throw usageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  if (!(await file.stat()).isFile()) {
    await file.close();
    throw usageError(`${path} is not a file`);
  }
  return Readable.toWeb(file.createReadStream());
}
