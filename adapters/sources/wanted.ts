import picomatch from 'picomatch';

/** Which files of a source are meant. */
export interface Wanted {
  readonly file: (path: string) => boolean;
  /** Whether there can be any below. */
  readonly folder: (path: string) => boolean;
}

/** Where version control keeps what is none of the project's files. */
const neverInto = new Set(['.git', '.hg', '.svn']);

/**
 * Globs as shells know them. Files and folders whose name begins with a dot are meant only where a glob of `include` says
 * the dot; `exclude` needs none. A folder that is excluded is excluded with all that is in it.
 */
export function createWanted({
  include,
  exclude,
}: {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}): Wanted {
  const included = picomatch([...include]);
  const excluded = exclude.length === 0 ? () => false : picomatch([...exclude], { dot: true });
  const folder = (path: string): boolean => !neverInto.has(path.slice(path.lastIndexOf('/') + 1)) && !excluded(path);
  const inFolders = (path: string): boolean =>
    [...path.matchAll(/\//g)].every(({ index }) => folder(path.slice(0, index)));
  return { folder, file: (path) => included(path) && !excluded(path) && inFolders(path) };
}
