import { readFileSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { isInside } from '../files/links.ts';
import { mountsOf, placeOf } from '../files/mounts.ts';

/** A process that has something to do with a folder, and what. */
export interface FolderUser {
  readonly pid: number;
  readonly name: string;
  readonly how: 'file open' | 'file mapped' | 'works in it' | 'container has it mounted';
}

export interface FolderUsers {
  readonly users: readonly FolderUser[];
  /** Processes that may not be looked at: of another user, and this is not root. */
  readonly unseen: number;
}

/**
 * Who uses a folder now, whoever started it: by what its processes have open, and by the containers that have it mounted, where
 * paths are others. Processes of other containers are not seen from within one.
 */
export async function usersOf(folder: string): Promise<FolderUsers> {
  const path = realpathSync(folder);
  const place = await placeOf(folder);
  const ownRoot = rootOf('self');
  const users: FolderUser[] = [];
  let unseen = 0;
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each) && Number(each) !== process.pid)) {
    const pid = Number(name);
    const how = looksInto(pid, path);
    if (how === 'unseen') unseen += 1;
    else if (how !== null) users.push({ pid, name: nameOf(pid), how });
    else if (place !== null && rootOf(pid) !== ownRoot && (await hasMounted(pid, place)))
      users.push({ pid, name: nameOf(pid), how: 'container has it mounted' });
  }
  return { users, unseen };
}

function looksInto(pid: number, folder: string): FolderUser['how'] | 'unseen' | null {
  try {
    if (isInside(folder, readlinkSync(`/proc/${pid}/cwd`))) return 'works in it';
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      if (isInside(folder, linkOf(`/proc/${pid}/fd/${fd}`))) return 'file open';
    }
    const mapped = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
    return mapped.some((line) => isInside(folder, line.slice(line.indexOf('/')))) ? 'file mapped' : null;
  } catch (error) {
    // Gone meanwhile, or a thread of the kernel, which has neither.
    return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '') ? 'unseen' : null;
  }
}

/** A file that was deleted is open all the same. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path).replace(/ \(deleted\)$/, '');
  } catch {
    return '';
  }
}

/** Which root folder a process has: that of a container is another one; a service that hides some mounts has ours. */
function rootOf(pid: number | 'self'): string {
  try {
    const { dev, ino } = statSync(`/proc/${pid}/root/`, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return 'gone';
  }
}

/** The folder itself, something in it, or something around it that is not a whole file system. */
async function hasMounted(pid: number, place: { readonly device: string; readonly root: string }): Promise<boolean> {
  return (await mountsOf(pid)).some(
    ({ device, root }) =>
      device === place.device && (isInside(place.root, root) || (root !== '/' && isInside(root, place.root))),
  );
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'gone';
  }
}
