import type { AllowedRoots, PathObstacle } from '../adapters/files/allowed-roots.ts';
import type { ProjectSpec } from '../domain/project/schemas.ts';
import { localPathOf } from '../domain/project/source.ts';

export interface Misplaced {
  readonly path: string;
  readonly message: string;
}

export type MisplacedSources = (spec: ProjectSpec) => Promise<Misplaced[]>;

const words: Readonly<Record<PathObstacle, string>> = {
  outside: 'not inside a root that HOLDFAST_SOURCE_ROOTS allows',
  missing: 'not there',
  not_a_folder: 'not a folder',
  unreadable: 'cannot be read',
};

/**
 * Which sources of a registration are not where they may be, seen from `box`. Those of another box are looked at by the
 * worker there, which reads them and has roots of its own.
 */
export function createMisplacedSources(roots: AllowedRoots, box: string): MisplacedSources {
  return async (spec) => {
    if (spec.box !== box) return [];
    const found = await Promise.all(
      spec.sources.map(async (source, at): Promise<Misplaced[]> => {
        const path = localPathOf(source);
        const obstacle = path === null ? null : await roots.obstacle(path);
        const field = `spec.sources.${at}.${source.kind === 'git' ? 'url' : 'path'}`;
        return obstacle === null ? [] : [{ path: field, message: words[obstacle] }];
      }),
    );
    return found.flat();
  };
}
