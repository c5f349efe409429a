import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { stampSchema } from '../../domain/backup/stamp.ts';
import { PermanentFailure } from '../../domain/failures.ts';
import { draftName, manifestName, parseManifestFile, readBytes } from './manifest-file.ts';

export type PointPlace = 'partial' | 'kept' | 'trash';

export interface TrashedPoint {
  readonly stamp: string;
  readonly trashed_at: Date;
}

export interface PartialPoint {
  readonly stamp: string;
  /** When anything in it was written last. */
  readonly changed_at: Date;
}

export type Points = ReturnType<typeof createPoints>;

/**
 * The recovery points of a box, a folder each: <root>/<STAMP> once it is published, <root>/partial/<STAMP> while it is made,
 * <root>/trash/<STAMP> after it was pruned. Everything may be done again. `root`: <home>/backups.
 */
export function createPoints(root: string) {
  const parents: Readonly<Record<PointPlace, string>> = {
    partial: join(root, 'partial'),
    kept: root,
    trash: join(root, 'trash'),
  };

  function folderOf(stamp: string, place: PointPlace): string {
    if (!stampSchema.safeParse(stamp).success) throw new Error(`Not a STAMP: ${JSON.stringify(stamp)}`);
    return join(parents[place], stamp);
  }

  /** Empty, whatever an earlier attempt left there. */
  async function begin(stamp: string): Promise<string> {
    const folder = folderOf(stamp, 'partial');
    if (await isThere(folderOf(stamp, 'kept'))) throw new Error(`${stamp} is published already`);
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, 'members'), { recursive: true, mode: 0o700 });
    return folder;
  }

  /** What was being made is gone. */
  async function discard(stamp: string): Promise<void> {
    await rm(folderOf(stamp, 'partial'), { recursive: true, force: true });
  }

  /** It gets its final name, and is on the disk with it. Throws when it holds anything but its manifest and its members. */
  async function publish(stamp: string): Promise<void> {
    const from = folderOf(stamp, 'partial');
    if (!(await isThere(from)) && (await isThere(folderOf(stamp, 'kept')))) return;
    await rm(join(from, draftName), { force: true });
    await expectWhole(from, stamp);
    await sync(join(from, 'members'));
    await sync(from);
    // One that was pruned and fetched again is there once: neither could it go to the trash again, nor be purged from it.
    await purge(stamp);
    await move(stamp, 'partial', 'kept');
  }

  /** Out of sight; until it is purged its folder can be moved back. */
  async function trash(stamp: string, now: Date): Promise<void> {
    // Of a stay there before, which somebody ended by hand.
    await rm(join(folderOf(stamp, 'kept'), '.trashed'), { force: true });
    await move(stamp, 'kept', 'trash');
    // Since when it is there; one that was trashed by an attempt before keeps its time.
    const folder = folderOf(stamp, 'trash');
    const mark = await open(join(folder, '.trashed'), 'wx', 0o600).catch(() => null);
    if (mark === null) return;
    await mark.close();
    await utimes(join(folder, '.trashed'), now, now);
  }

  /** For good. */
  async function purge(stamp: string): Promise<void> {
    const folder = folderOf(stamp, 'trash');
    await rm(join(folder, manifestName), { force: true });
    await rm(folder, { recursive: true, force: true });
  }

  async function move(stamp: string, from: PointPlace, to: PointPlace): Promise<void> {
    const [source, target] = [folderOf(stamp, from), folderOf(stamp, to)];
    if (!(await isThere(source))) {
      if (await isThere(target)) return;
      throw unknown(stamp, `is not there (${from})`);
    }
    await mkdir(parents[to], { recursive: true, mode: 0o700 });
    await rename(source, target);
    await Promise.all([sync(parents[from]), sync(parents[to])]);
  }

  const stampsIn = async (place: PointPlace): Promise<string[]> =>
    (await readdir(parents[place], { withFileTypes: true }).catch(emptyIfMissing))
      .filter((entry) => entry.isDirectory() && stampSchema.safeParse(entry.name).success)
      .map(({ name }) => name)
      .sort();

  async function trashed(): Promise<TrashedPoint[]> {
    const stamps = await stampsIn('trash');
    return Promise.all(
      stamps.map(async (stamp) => {
        const folder = folderOf(stamp, 'trash');
        const mark = await stat(join(folder, '.trashed')).catch(() => null);
        // Moved by an attempt that died before it marked it: its files are as old as the point.
        return { stamp, trashed_at: mark?.mtime ?? (await stat(folder)).ctime };
      }),
    );
  }

  /** What is being made, or was left so. */
  async function partials(): Promise<PartialPoint[]> {
    const found: PartialPoint[] = [];
    for (const stamp of await stampsIn('partial')) {
      const changed_at = await changedAt(folderOf(stamp, 'partial'));
      // Gone meanwhile: published, or given up.
      if (changed_at !== null) found.push({ stamp, changed_at });
    }
    return found;
  }

  return {
    ...{ root, folderOf, begin, discard, publish, trash, purge, trashed, partials },
    /** Oldest first. */
    list: () => stampsIn('kept'),
    isPublished: (stamp: string) => isThere(folderOf(stamp, 'kept')),
  };
}

async function expectWhole(folder: string, stamp: string): Promise<void> {
  const { manifest } = parseManifestFile(await readBytes(folder, manifestName));
  if (manifest.stamp !== stamp)
    throw new PermanentFailure('ManifestRefused', `It is the manifest of ${manifest.stamp}`);
  const found = [
    ...(await readdir(folder)),
    ...(await readdir(join(folder, 'members'))).map((name) => `members/${name}`),
  ];
  const named = [manifestName, 'members', ...manifest.members.map(({ name }) => `members/${name}`)];
  const differing = [
    ...found.filter((name) => !named.includes(name)),
    ...named.filter((name) => !found.includes(name)),
  ];
  if (differing.length > 0)
    throw new Error(`${stamp} is not what its manifest names: ${differing.slice(0, 5).join(', ')}`);
}

function unknown(stamp: string, what: string): PermanentFailure {
  return new PermanentFailure('PointUnknown', `The recovery point ${stamp} ${what}`);
}

async function changedAt(folder: string): Promise<Date | null> {
  const names = await readdir(folder, { recursive: true }).catch(emptyIfMissing);
  const stats = await Promise.all(['.', ...names].map((name) => stat(join(folder, name)).catch(() => null)));
  const times = stats.flatMap((each) => (each === null ? [] : [each.mtimeMs]));
  return times.length === 0 ? null : new Date(Math.max(...times));
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    },
  );
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

function emptyIfMissing(error: unknown): never[] {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
  throw error;
}
