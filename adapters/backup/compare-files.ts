import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Finding } from '../../domain/backup/finding.ts';
import type { ManifestDraft, Member } from '../../domain/backup/manifest.ts';
import type { MemberReader, Watched } from './deps.ts';
import { isOfThePoint, l1, l2 } from './findings.ts';
import { checkSqlite } from './sqlite.ts';
import { readTar, type UnpackedEntry } from './tar-unpack.ts';
import { told } from './told.ts';

type FileSet = ManifestDraft['file_sets'][number];

interface Reading extends Watched {
  readonly set: FileSet;
  readonly member: Member;
}

/** Every entry of a set is looked at, and leads nowhere but into its folder; as many as the manifest says. */
export async function checkFileSetStructure(
  { reader }: { readonly reader: MemberReader },
  reading: Reading,
): Promise<Finding> {
  return l1(`files.${reading.set.name}`, await against(reader, reading, async () => undefined));
}

/** As well, and each of its databases is taken out and proved by SQLite itself. */
export async function compareFileSet(
  { reader }: { readonly reader: MemberReader },
  reading: Reading & { readonly workFolder: string },
): Promise<Finding> {
  const { set, signal, workFolder } = reading;
  await mkdir(workFolder, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(workFolder, 'files-'));
  const left = new Set(set.sqlite);
  try {
    const wrong = await against(reader, reading, async ({ path, content }) => {
      if (!left.delete(path)) return;
      const copy = join(folder, 'copy.db');
      await pipeline(content, createWriteStream(copy));
      await checkSqlite(copy, signal, path);
      await rm(copy);
    });
    const gone = [...left].map((path) => `the database ${path} is not there`);
    return l2(`files.${set.name}`, [...wrong, ...gone], {
      files: set.files,
      bytes: set.bytes,
      sqlite: set.sqlite.length,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function against(
  reader: MemberReader,
  { set, member, signal, beat }: Reading,
  look: (entry: UnpackedEntry) => Promise<void>,
): Promise<string[]> {
  const found = { files: 0, bytes: 0 };
  const read = (done: (bytes: number) => void) =>
    readTar(reader.open(member, signal), signal, async (entry) => {
      if (entry.header.type === 'symlink' || entry.header.type === 'directory') return;
      found.files += 1;
      found.bytes += entry.header.size;
      done(entry.header.size);
      await look(entry);
    });
  try {
    await told(beat, `read ${set.name}`, read, set.bytes);
  } catch (error) {
    if (isOfThePoint(error)) return [error.message];
    throw error;
  }
  const same = found.files === set.files && found.bytes === set.bytes;
  return same ? [] : [`${found.files} files of ${found.bytes} bytes, not ${set.files} of ${set.bytes}`];
}
