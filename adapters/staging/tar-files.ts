import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract, type Extract, type Header } from 'tar-stream';
import type { ArchiveGuard } from '../../domain/source/archive.ts';
import { contentOf, counted, damagedArchive, type ArchivedFile } from './archived-file.ts';

const damaged = damagedArchive('tar');

/** The files of a tar, packed by gzip or not. What is between files counts as unpacked too: it can be just as endless. */
export async function* tarFiles(archive: string, gzip: boolean, guard: ArchiveGuard): AsyncGenerator<ArchivedFile> {
  const unpacked = extract();
  let fault: unknown = null;
  unpack(archive, gzip, guard, unpacked, (error) => (fault ??= error));
  const entries = unpacked[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await entries.next().catch((error: unknown) => damaged(fault ?? error));
      if (next.done === true) break;
      const entry = next.value;
      const path = checked(entry.header, guard);
      const used = { opened: false };
      const open = async () => {
        used.opened = true;
        return contentOf(entry as unknown as AsyncIterable<Buffer>, (error) => damaged(fault ?? error));
      };
      if (path !== null) yield { path, open };
      if (!used.opened) entry.resume();
    }
    if (fault !== null) damaged(fault);
  } finally {
    unpacked.destroy();
  }
}

function unpack(
  archive: string,
  gzip: boolean,
  guard: ArchiveGuard,
  into: Extract,
  ended: (error: unknown) => void,
): void {
  const packed = createReadStream(archive);
  const count = (source: AsyncIterable<Buffer>) => counted(source, guard);
  if (gzip) pipeline(packed, createGunzip(), count, into, ended);
  else pipeline(packed, count, into, ended);
}

/** null: a folder. */
function checked({ name, type }: Header, guard: ArchiveGuard): string | null {
  const path = name.replace(/^(\.\/)+/, '');
  if (type === 'directory') return null;
  if (type === 'symlink' || type === 'link') guard.other(path, 'link');
  if (type !== 'file' && type !== 'contiguous-file') guard.other(path, 'special file');
  guard.file(path);
  return path;
}
