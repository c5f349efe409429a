import { chmod, chown, lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PermanentFailure } from '../../domain/failures.ts';
import {
  lostAndFound,
  nextStep,
  workFolderName,
  type ReplacementState,
  type ReplacementStep,
} from '../../domain/restore/replacement.ts';
import { runCommand } from '../process/run-command.ts';
import { isMountPoint } from '../files/mounts.ts';
import { readJournal, removeJournal, syncFolder, writeJournal, type Journal } from './journal.ts';

export type Replacement = ReturnType<typeof createReplacement>;

/**
 * Row B7. Replaces all that is in `root`, which stays the folder that it is: a mount point can be neither removed nor renamed,
 * and whoever has it mounted elsewhere goes on seeing it. Entries are renamed within it, all old ones out before the first new
 * one comes in; a journal beside them says how far this is, so that after a crash it is finished or undone. Each call may be
 * repeated. Throws PermanentFailure `FilesInUse` when somebody else writes there meanwhile.
 */
export function createReplacement(root: string, id: string) {
  const work = join(root, workFolderName(id));
  const at = { new: join(work, 'new'), old: join(work, 'old'), strangers: join(work, 'strangers') };

  async function journal(): Promise<Journal> {
    const found = await readJournal(work);
    if (found === null) throw new Error(`Nothing is being replaced in ${root}`);
    return found;
  }

  /** Everything in a folder of this one's contents but what is ours, and what is its file system's. */
  async function entries(folder = root): Promise<string[]> {
    const names = (await readdir(folder)).filter((name) => name !== workFolderName(id));
    return (await isMountPoint(root)) ? names.filter((name) => name !== lostAndFound) : names;
  }

  const steps: Readonly<Record<ReplacementStep, (now: Journal) => Promise<void>>> = {
    none: () => Promise.resolve(),

    async move_out() {
      for (const name of await entries()) await move(join(root, name), join(at.old, name));
      await Promise.all([syncFolder(at.old), syncFolder(root)]);
    },

    async move_in({ entries: wanted, new_root }) {
      for (const name of await entries(at.new)) await move(join(at.new, name), join(root, name));
      await takeAttributes(root, new_root);
      await Promise.all([syncFolder(at.new), syncFolder(root)]);
      const strange = (await entries()).filter((name) => !wanted.includes(name));
      if (strange.length > 0) throw inUse(root, strange[0] ?? '');
    },

    async move_back_out() {
      await mkdir(at.strangers, { recursive: true, mode: 0o700 });
      for (const name of await entries()) await move(join(root, name), join(at.new, name), at.strangers);
      await Promise.all([syncFolder(at.new), syncFolder(root)]);
    },

    async move_back_in({ old_root }) {
      await mkdir(at.strangers, { recursive: true, mode: 0o700 });
      for (const name of await entries(at.old)) {
        await displace(join(root, name), at.strangers);
        await move(join(at.old, name), join(root, name));
      }
      await takeAttributes(root, old_root);
      await Promise.all([syncFolder(at.old), syncFolder(root)]);
    },

    async delete() {
      for (const path of Object.values(at)) await rm(path, { recursive: true, force: true });
      // With the journal as the last: what is left without one is nobody's.
      await rm(work, { recursive: true, force: true });
      await syncFolder(root);
    },
  };

  async function bring(wish: 'replace' | 'undo' | 'finish', to: ReplacementState | null): Promise<void> {
    for (let now = await journal(); ;) {
      const { step, then } = nextStep(now.state, wish);
      await steps[step](now);
      if (then === null) return;
      if (then !== now.state) await writeJournal(work, (now = { ...now, state: then }));
      if (then === to) return;
    }
  }

  return {
    /** Where the journal and both sides are. */
    workFolder: work,

    /** How far it is; null: nothing was begun, or all is over. */
    state: async (): Promise<ReplacementState | null> => (await readJournal(work))?.state ?? null,

    /** An empty folder for the new contents. What an attempt before left in it is gone. */
    async begin(): Promise<string> {
      const found = await readJournal(work);
      if (found !== null && found.state !== 'unpacking') throw new Error(`${root} is ${found.state} already`);
      const old_root = attributesOf(await stat(root));
      await writeJournal(work, {
        ...{ format: 'holdfast-replacement/1', state: 'unpacking', old_root, new_root: old_root, entries: [] },
      });
      await rm(at.new, { recursive: true, force: true });
      await mkdir(at.new, { mode: 0o700 });
      await takeAttributes(at.new, old_root);
      await mkdir(at.old, { recursive: true, mode: 0o700 });
      return at.new;
    },

    /** The new contents are whole: from here on they survive a power cut. */
    async ready(signal: AbortSignal): Promise<void> {
      const now = await journal();
      if (now.state !== 'unpacking') return;
      // All of the file system at once: a call for each of a million files would take hours.
      const { exit_code, timed_out } = await runCommand(['sync', '-f', at.new], {
        ...{ cwd: root, env: { PATH: '/usr/local/bin:/usr/bin:/bin' }, timeout_ms: 3_600_000, grace_ms: 0, signal },
      });
      if (exit_code !== 0 || timed_out) throw new Error(`sync of ${root} ended with ${exit_code}`);
      const new_root = attributesOf(await stat(at.new));
      await writeJournal(work, { ...now, state: 'ready', new_root, entries: await entries(at.new) });
    },

    replace: (): Promise<void> => bring('replace', 'replaced'),

    /** What was there is there again, whatever has happened since; what was in its place is kept until `finish`. */
    async undo(): Promise<void> {
      const found = await readJournal(work);
      if (found === null) return;
      // Before anything was moved the journal is only taken away: that a full disk lets be done, and nothing else.
      if (found.state === 'unpacking' || found.state === 'ready') await removeJournal(work);
      else await bring('undo', 'undone');
    },

    /** Deletes the side that is not in use. There is no way back. */
    async finish(): Promise<void> {
      if ((await readJournal(work)) !== null) await bring('finish', null);
      // Before its first journal, or after its last, there is nothing in it that counts.
      else await rm(work, { recursive: true, force: true });
    },
  };
}

/** Never over something. `instead`: where what comes second goes; without it that is somebody else's, and refused. */
async function move(from: string, to: string, instead?: string): Promise<void> {
  if ((await lstat(to).catch(unlessThere)) === null) return rename(from, to);
  if (instead === undefined) throw inUse(to, to);
  await displace(from, instead);
}

async function displace(path: string, into: string): Promise<void> {
  if ((await lstat(path).catch(unlessThere)) === null) return;
  const number = (await readdir(into)).length;
  await rename(path, join(into, String(number)));
}

function unlessThere(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return null;
}

function inUse(folder: string, name: string): PermanentFailure {
  return new PermanentFailure('FilesInUse', `Somebody wrote ${name} while ${folder} was replaced: stop what uses it`);
}

function attributesOf({ mode, uid, gid }: { mode: number; uid: number; gid: number }): Journal['new_root'] {
  return { mode: mode & 0o7777, uid, gid };
}

async function takeAttributes(folder: string, { mode, uid, gid }: Journal['new_root']): Promise<void> {
  const now = attributesOf(await stat(folder));
  if (now.uid !== uid || now.gid !== gid) await chown(folder, uid, gid);
  if (now.mode !== mode || now.uid !== uid) await chmod(folder, mode);
}
