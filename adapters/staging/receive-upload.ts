import { randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { UploadSource } from '../../domain/project/source.ts';
import { ArchiveRefused, createArchiveGuard, type ArchiveGuard } from '../../domain/source/archive.ts';
import { pathObstacle } from '../../domain/source/path.ts';
import { demandRoom } from '../../domain/source/room.ts';
import type { ArchiveKind } from '../../domain/source/upload.ts';
import type { UploadStore } from '../postgres/uploads.ts';
import { createWanted } from '../sources/wanted.ts';
import type { ArchivedFile } from './archived-file.ts';
import type { ContentStore } from './content-store.ts';
import { tarFiles } from './tar-files.ts';
import { zipFiles } from './zip-files.ts';

/** An upload that is not taken, and why. Nothing of it is kept. */
export class UploadRefused extends Error {
  override readonly name = 'UploadRefused';
  constructor(
    readonly kind: 'too_large' | 'over_limit' | 'not_wanted' | 'archive',
    message: string,
  ) {
    super(message);
  }
}

export interface UploadDeps {
  readonly uploads: Pick<UploadStore, 'put'>;
  readonly contents: ContentStore;
  readonly box: string;
  readonly freeBytes: (path: string) => Promise<number>;
}

export interface UploadWish {
  readonly project: string;
  readonly spec: UploadSource;
  readonly actor: string;
  /** Of a file; of an archive, the folder that it is unpacked into. */
  readonly path: string | undefined;
  readonly unpack: ArchiveKind | undefined;
}

interface Kept {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

export type ReceiveUpload = ReturnType<typeof createReceiveUpload>;

/**
 * Row W3: takes a file, or an archive of files, as it streams in. Its bytes go into the content store; all of its rows are
 * written in one transaction at the end, so an upload that breaks off leaves nothing that counts. Throws UploadRefused, and
 * PermanentFailure NoRoom.
 */
export function createReceiveUpload({ uploads, contents, box, freeBytes }: UploadDeps) {
  return async (wish: UploadWish, body: Readable): Promise<{ files: number; bytes: number; left_out: number }> => {
    const { project, spec, actor } = wish;
    await mkdir(contents.root, { recursive: true, mode: 0o700 });
    demandRoom('This upload', 1, await freeBytes(contents.root));
    const { kept, left_out } =
      wish.unpack === undefined ? await takeFile(wish, body) : await takeArchive(wish, wish.unpack, body);
    if (!(await uploads.put({ project, source: spec.name, box, actor }, kept, spec.limits))) {
      const { max_files, max_bytes } = spec.limits;
      const message = `With this upload ${spec.name} would hold more than ${max_files} files or ${max_bytes} bytes.`;
      throw new UploadRefused('over_limit', message);
    }
    return { files: kept.length, bytes: kept.reduce((sum, { bytes }) => sum + bytes, 0), left_out };
  };

  async function takeFile({ path = '', spec }: UploadWish, body: Readable) {
    if (!createWanted(spec).file(path))
      throw new UploadRefused('not_wanted', `${path} is not one of the files that ${spec.name} takes.`);
    const stored = await contents.put(body, spec.limits.max_file_bytes);
    if (stored === null)
      throw new UploadRefused('too_large', `${path} is larger than ${spec.limits.max_file_bytes} bytes.`);
    return { kept: [{ path, ...stored }], left_out: 0 };
  }

  async function takeArchive(wish: UploadWish, kind: ArchiveKind, body: Readable) {
    const { max_bytes } = wish.spec.limits;
    const spooled = join(contents.root, `archive-${randomUUID()}`);
    try {
      const bytes = await spool(body, spooled, max_bytes);
      if (bytes === null) throw new UploadRefused('too_large', `The archive is larger than ${max_bytes} bytes.`);
      const guard = createArchiveGuard(bytes, wish.spec.limits);
      return await unpack(
        wish,
        kind === 'zip' ? zipFiles(spooled, guard) : tarFiles(spooled, kind === 'tar.gz', guard),
        guard,
      );
    } catch (error) {
      throw error instanceof ArchiveRefused ? new UploadRefused('archive', error.message) : error;
    } finally {
      await rm(spooled, { force: true });
    }
  }

  async function unpack({ path: into, spec }: UploadWish, files: AsyncIterable<ArchivedFile>, guard: ArchiveGuard) {
    const wanted = createWanted(spec);
    const kept: Kept[] = [];
    let left_out = 0;
    for await (const { path: name, open: openFile } of files) {
      const path = into === undefined ? name : `${into}/${name}`;
      if (pathObstacle(path) !== null) throw new ArchiveRefused(`${name}: ${pathObstacle(path) ?? ''}`);
      if (!wanted.file(path)) {
        left_out += 1;
        continue;
      }
      const stored = await contents.put(await openFile(), spec.limits.max_file_bytes);
      if (stored === null) return guard.tooLarge(name);
      kept.push({ path, ...stored });
    }
    return { kept, left_out };
  }
}

/** How many bytes came; null: more than there may be. */
async function spool(body: Readable, path: string, mostBytes: number): Promise<number | null> {
  const file = await open(path, 'wx', 0o600);
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostBytes) return null;
      await file.writeFile(chunk);
    }
    return bytes;
  } finally {
    await file.close();
  }
}
