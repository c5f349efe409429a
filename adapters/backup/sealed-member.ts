import { createReadStream } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Member } from '../../domain/backup/manifest.ts';
import { isEncrypted, memberFileName } from '../../domain/backup/member-name.ts';
import { isPermanentFailure, PermanentFailure } from '../../domain/failures.ts';
import { noRoomOr } from '../files/no-room.ts';
import type { Environment } from '../process/inherited-env.ts';
import { decrypt, encrypt } from './age.ts';
import { AgeRefused } from './age-payload.ts';
import { createMeter, type Measure } from './measured.ts';
import { compress, decompress, ZstdRefused } from './zstd.ts';

export interface MemberWriterOptions {
  /** Of the point. */
  readonly folder: string;
  /** Empty: nothing is encrypted. */
  readonly recipients: readonly string[];
  /** The worker's: zstd is found in it. */
  readonly env: Environment;
}

type Stages = ((source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>)[];

/** Members on their way into the folder of a point: measured, compressed, encrypted, measured, and on the disk. */
export function createMemberWriter({ folder, recipients, env }: MemberWriterOptions) {
  const pathOf = (name: string) => join(folder, 'members', name);
  return {
    /**
     * `member.name` without endings. A source that fails leaves nothing; whoever feeds `plain` from a program has to fail it
     * when the program does. Throws PermanentFailure `NoRoom` on a full disk.
     */
    async seal(
      member: Pick<Member, 'name' | 'kind' | 'compression'>,
      plain: Readable,
      signal: AbortSignal,
    ): Promise<Member> {
      const name = memberFileName(member.name, member.compression, recipients.length > 0);
      const stages: Stages = [
        ...(member.compression === 'zstd' ? [compress(env)] : []),
        ...(recipients.length > 0 ? [encrypt(recipients)] : []),
      ];
      const measures = await write(plain, stages, pathOf(name), signal);
      return { name, kind: member.kind, compression: member.compression, ...measures };
    },

    async remove({ name }: Pick<Member, 'name'>): Promise<void> {
      await rm(pathOf(name), { force: true });
    },
  };
}

async function write(plain: Readable, stages: Stages, path: string, signal: AbortSignal) {
  const partial = `${path}.partial`;
  const meters = { plain: createMeter(), stored: createMeter() };
  const file = await open(partial, 'w', 0o600);
  try {
    const all = [meters.plain.through, ...stages, meters.stored.through];
    // Too many kinds of stages for the types of pipeline: each takes what the one before gives.
    await pipeline([plain, ...all, (bytes: AsyncIterable<Uint8Array>) => writeAll(file, bytes)] as never, { signal });
    await file.sync();
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw noRoomOr(error);
  } finally {
    plain.destroy();
    await file.close();
  }
  return { plain: meters.plain.result(), stored: meters.stored.result() };
}

/** So little waits for the disk at any time that a commit of a store, which waits behind it, does not wait long. */
const syncedBytes = 16 * 2 ** 20;

/** What is written while the piece before it is brought to the disk is the next piece. */
async function writeAll(file: FileHandle, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  let written = 0;
  let synced: Promise<unknown> = Promise.resolve();
  for await (const chunk of bytes) {
    await file.writeFile(chunk);
    written += chunk.byteLength;
    if (written < syncedBytes) continue;
    await synced;
    synced = file.datasync();
    // Thrown where it is awaited.
    synced.catch(() => undefined);
    written = 0;
  }
  await synced;
}

export interface MemberReaderOptions {
  /** Of the point. */
  readonly folder: string;
  /** Keys of age; those of members that are not encrypted are not needed. */
  readonly identities: readonly string[];
  readonly env: Environment;
}

/** Members on their way out of a point, the signature of which was verified before. */
export function createMemberReader({ folder, identities, env }: MemberReaderOptions) {
  return {
    /**
     * The plain bytes. The stream ends with PermanentFailure `MemberDamaged`, `MemberMissing` or `KeyMissing` when they are not,
     * to the last byte, what the manifest says: nothing read from it counts before its end.
     */
    open: (member: Member, signal: AbortSignal): Readable =>
      Readable.from(plainOf(member, join(folder, 'members', member.name), stagesOf(member), signal), {
        objectMode: false,
      }),
  };

  function stagesOf(member: Member): Stages {
    return [
      ...(isEncrypted(member) ? [decrypt(identities)] : []),
      ...(member.compression === 'zstd' ? [decompress(env)] : []),
    ];
  }
}

async function* plainOf(member: Member, path: string, stages: Stages, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const meters = { plain: createMeter(), stored: createMeter() };
  const file = createReadStream(path, { signal, highWaterMark: 1 << 18 });
  try {
    const sealed: AsyncIterable<Uint8Array> = meters.stored.through(file);
    const plain = stages.reduce((bytes, stage) => stage(bytes), sealed);
    for await (const chunk of meters.plain.through(plain)) {
      // A stream that grows without end is stopped where it differs.
      if (meters.plain.bytes() > member.plain.bytes) throw damaged(member, 'it is longer than the manifest says');
      yield chunk;
    }
    expectSame(member, 'stored', meters.stored.result());
    expectSame(member, 'plain', meters.plain.result());
  } catch (error) {
    throw damageOf(error, member);
  } finally {
    file.destroy();
  }
}

function expectSame(member: Member, what: 'plain' | 'stored', found: Measure): void {
  const { bytes, sha256 } = member[what];
  if (found.bytes !== bytes) throw damaged(member, `${found.bytes} ${what} bytes, not ${bytes}`);
  if (found.sha256 !== sha256) throw damaged(member, `its ${what} bytes are not those of the manifest`);
}

function damageOf(error: unknown, member: Member): unknown {
  if (error instanceof AgeRefused || error instanceof ZstdRefused) return damaged(member, error.message);
  if (isPermanentFailure(error)) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' && syscall === 'open'
    ? new PermanentFailure('MemberMissing', `${member.name} is not there`)
    : error;
}

function damaged({ name }: Member, what: string): PermanentFailure {
  return new PermanentFailure('MemberDamaged', `${name}: ${what}`);
}
