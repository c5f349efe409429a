import { readFile, realpath, stat } from 'node:fs/promises';
import { isInside } from './links.ts';

export interface Mount {
  /** major:minor of the file system. */
  readonly device: string;
  /** The folder of that file system which is mounted. */
  readonly root: string;
  /** Where. */
  readonly point: string;
  readonly read_only: boolean;
}

/** What a process sees mounted; empty when it is gone or not ours to look at. Later ones lie over earlier ones. */
export async function mountsOf(pid: number | 'self'): Promise<readonly Mount[]> {
  const text = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [, , device, root, point, options] = line.split(' ');
    if (device === undefined || root === undefined || point === undefined || options === undefined) return [];
    return [{ device, root: plain(root), point: plain(point), read_only: options.split(',').includes('ro') }];
  });
}

/** Spaces, tabs, newlines and backslashes are written as three octal digits. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/** Whether something is mounted right there: then the folder itself can be neither removed nor renamed (row B7). */
export async function isMountPoint(folder: string): Promise<boolean> {
  const path = await realpath(folder);
  return (await mountsOf('self')).some(({ point }) => point === path);
}

/** Mount points below the folder, which cannot be moved with what is around them. */
export async function mountsInside(folder: string): Promise<string[]> {
  const path = await realpath(folder);
  const points = (await mountsOf('self')).map(({ point }) => point);
  return points.filter((point) => point !== path && isInside(path, point));
}

/** Where a folder is in its own file system, by which it is the same folder in every container. */
export async function placeOf(folder: string): Promise<Pick<Mount, 'device' | 'root'> | null> {
  const path = await realpath(folder);
  await stat(path);
  const holding = (await mountsOf('self')).findLast(({ point }) => point === '/' || isInside(point, path));
  if (holding === undefined) return null;
  const below = holding.point === '/' ? path : path.slice(holding.point.length);
  return { device: holding.device, root: `${holding.root === '/' ? '' : holding.root}${below}` || '/' };
}
