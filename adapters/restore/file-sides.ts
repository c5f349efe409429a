import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { PermanentFailure } from '../../domain/failures.ts';
import type { RestoreReference } from '../../domain/restore/run.ts';
import type { Watched } from '../backup/deps.ts';
import { counting, told } from '../backup/told.ts';
import { noRoomOr } from '../files/no-room.ts';
import type { OpenPoint } from './point.ts';
import { createReplacement } from './replace-contents.ts';

export interface FileSidesDeps {
  readonly openPoint: OpenPoint;
  /** Into an empty folder; refuses what leads out of it. */
  readonly unpack: (plain: Readable, folder: string, signal: AbortSignal) => Promise<{ files: number; bytes: number }>;
  /** What SQLite itself says of a database; throws PermanentFailure when it is damaged. */
  readonly checkSqlite: (path: string, signal: AbortSignal) => Promise<void>;
}

export type FileSides = ReturnType<typeof createFileSides>;

/** Both sides of the folders of a point: what is there, and what is restored beside it, each whole. Every step may be repeated. */
export function createFileSides({ openPoint, unpack, checkSqlite }: FileSidesDeps) {
  async function setOf(stamp: string, name: string) {
    const point = await openPoint(stamp);
    const set = point.manifest.file_sets.find((each) => each.name === name);
    if (set === undefined) throw new PermanentFailure('RestoreRefused', `The point has no files called ${name}`);
    return { point, set };
  }

  async function replacementOf({ stamp, restore_id }: RestoreReference, name: string) {
    const { set } = await setOf(stamp, name);
    return createReplacement(set.root, restore_id);
  }

  return {
    /** All of it beside, checked and on the disk; nothing of it is seen. */
    async unpack(
      ref: RestoreReference,
      name: string,
      { signal, beat }: Watched,
    ): Promise<{ files: number; bytes: number }> {
      const { point, set } = await setOf(ref.stamp, name);
      const member = point.manifest.members.find((each) => each.name === set.member);
      if (member === undefined) throw new PermanentFailure('MemberMissing', `${name} has no member`);
      // On a machine that never had it.
      await mkdir(set.root, { recursive: true });
      const replacement = createReplacement(set.root, ref.restore_id);
      if ((await replacement.state()) === 'ready') return { files: set.files, bytes: set.bytes };
      const folder = await replacement.begin().catch(noRoom);
      const unpacked = await told(
        beat,
        `unpack ${name}`,
        (done) => unpack(counting(point.reader.open(member, signal), done), folder, signal),
        member.plain.bytes,
      );
      for (const path of set.sqlite) await checkDatabase(join(folder, path), signal);
      if (unpacked.files !== set.files) {
        const message = `${name} has ${unpacked.files} files, and its manifest says ${set.files}`;
        throw new PermanentFailure('RestoreRefused', message);
      }
      await replacement.ready(signal).catch(noRoom);
      return unpacked;
    },

    /** A full disk is no reason to hold everybody up until there is room: it is put back. */
    replace: async (ref: RestoreReference, name: string): Promise<void> =>
      (await replacementOf(ref, name)).replace().catch(noRoom),

    /** Where nothing was begun it does nothing. */
    undo: async (ref: RestoreReference, name: string): Promise<void> => (await replacementOf(ref, name)).undo(),

    /** Deletes the side that is not in use, in all folders of the point. */
    async drop(ref: RestoreReference, side: 'old' | 'restored'): Promise<void> {
      const { manifest } = await openPoint(ref.stamp);
      for (const { root } of manifest.file_sets) {
        const replacement = createReplacement(root, ref.restore_id);
        // What is being deleted already was put back before that.
        if (side === 'restored' && (await replacement.state()) !== 'finishing') await replacement.undo();
        await replacement.finish();
      }
    },
  };

  /** Row B8: one file each. A log of writes that came along would be replayed over it. */
  async function checkDatabase(path: string, signal: AbortSignal): Promise<void> {
    for (const ending of ['-wal', '-shm', '-journal']) {
      if (await isThere(`${path}${ending}`))
        throw new PermanentFailure('RestoreRefused', `${path} was copied with its ${ending}, not as a database`);
    }
    await checkSqlite(path, signal);
  }
}

function noRoom(error: unknown): never {
  throw noRoomOr(error);
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
