import { openPromise, type Entry } from 'yauzl';
import type { ArchiveGuard } from '../../domain/source/archive.ts';
import { contentOf, counted, damagedArchive, type ArchivedFile } from './archived-file.ts';

const damaged = damagedArchive('zip');

/** The files of a zip. Each was checked by the guard, and so is what it unpacks to. */
export async function* zipFiles(archive: string, guard: ArchiveGuard): AsyncGenerator<ArchivedFile> {
  const zip = await openPromise(archive, { autoClose: false, strictFileNames: true }).catch(damaged);
  try {
    const entries = zip.eachEntry();
    for (;;) {
      const next = await entries.next().catch(damaged);
      if (next.done === true) return;
      const entry = next.value;
      if (entry.fileName.endsWith('/')) continue;
      check(entry, guard);
      const open = async () => {
        const stream = await zip.openReadStreamPromise(entry).catch(damaged);
        // It may fail before anybody reads it, and then it must still say so to who does.
        stream.on('error', (error) => stream.destroy(error));
        return contentOf(counted(stream, guard), damaged);
      };
      yield { path: entry.fileName, open };
    }
  } finally {
    zip.close();
  }
}

function check(entry: Entry, guard: ArchiveGuard): void {
  // Unix keeps the kind of a file in the upper half of its attributes; 0 where the packer knew of none.
  const kind = (entry.externalFileAttributes >>> 16) & 0o170000;
  if (kind === 0o120000) guard.other(entry.fileName, 'symbolic link');
  if (kind !== 0 && kind !== 0o100000) guard.other(entry.fileName, 'special file');
  if (entry.isEncrypted()) guard.other(entry.fileName, 'file with a password');
  guard.file(entry.fileName);
}
