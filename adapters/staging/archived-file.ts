import { Readable } from 'node:stream';
import { ArchiveRefused, type ArchiveGuard } from '../../domain/source/archive.ts';

export interface ArchivedFile {
  readonly path: string;
  /** To be read to its end, or not opened at all, before the next file comes. */
  readonly open: () => Promise<Readable>;
}

/** Passes on what comes, and has the guard count it. */
export async function* counted(source: AsyncIterable<Buffer>, guard: ArchiveGuard): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    guard.unpacked(chunk.length);
    yield chunk;
  }
}

/** A content whose every fault is the archive's. */
export function contentOf(source: AsyncIterable<Buffer>, damaged: (error: unknown) => never): Readable {
  const passedOn = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* source;
    } catch (error) {
      damaged(error);
    }
  };
  return Readable.from(passedOn(), { objectMode: false });
}

export function damagedArchive(kind: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof ArchiveRefused) throw error;
    throw new ArchiveRefused(`It is no whole ${kind}: ${error instanceof Error ? error.message : String(error)}.`);
  };
}
