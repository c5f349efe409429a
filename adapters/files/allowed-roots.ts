import { realpath, stat } from 'node:fs/promises';

export type PathObstacle = 'outside' | 'missing' | 'not_a_folder' | 'unreadable';

export type AllowedRoots = ReturnType<typeof createAllowedRoots>;

/** The folders of this box that sources may be read from. `roots`: absolute paths; one that is not there allows nothing. */
export function createAllowedRoots(roots: readonly string[]) {
  /**
   * The real path of a folder that may be read, or what is in the way. A path that is written as one outside is not looked at:
   * nobody learns from the answer what is there.
   */
  async function find(path: string): Promise<Real> {
    const real = (await Promise.all(roots.map(realPath))).flatMap((found) => found.path ?? []);
    if (![...roots, ...real].some((root) => isInside(path, root))) return { path: null, obstacle: 'outside' };
    const found = await realPath(path);
    if (found.path === null) return found;
    const inside = found.path;
    if (!real.some((root) => isInside(inside, root))) return { path: null, obstacle: 'outside' };
    return (await stat(inside)).isDirectory() ? found : { path: null, obstacle: 'not_a_folder' };
  }

  return {
    roots,
    find,
    /** null: nothing is in the way. */
    obstacle: async (path: string): Promise<PathObstacle | null> => (await find(path)).obstacle,
  };
}

type Real =
  { readonly path: string; readonly obstacle: null } | { readonly path: null; readonly obstacle: PathObstacle };

async function realPath(path: string): Promise<Real> {
  try {
    return { path: await realpath(path), obstacle: null };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { path: null, obstacle: code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'unreadable' };
  }
}

function isInside(path: string, root: string): boolean {
  const folder = root.endsWith('/') ? root : `${root}/`;
  return path === root || path.startsWith(folder);
}
