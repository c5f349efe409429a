import { PermanentFailure } from '../../domain/failures.ts';
import type { AllowedRoots, PathObstacle } from '../files/allowed-roots.ts';

const words: Record<Exclude<PathObstacle, 'outside'>, string> = {
  missing: 'is not there',
  not_a_folder: 'is not a folder',
  unreadable: 'cannot be read',
};

/** The real path of a folder that is there and inside an allowed root. Throws SourceGone, SourceRefused. */
export async function allowedFolder(path: string, allowed: AllowedRoots): Promise<string> {
  // What was looked at, not what stands there by now.
  const { path: real, obstacle } = await allowed.find(path);
  if (real !== null) return real;
  if (obstacle === 'outside') {
    const roots = allowed.roots.join(', ');
    throw new PermanentFailure(
      'SourceRefused',
      `${path} is in none of the allowed roots (HOLDFAST_SOURCE_ROOTS): ${roots}.`,
    );
  }
  throw new PermanentFailure(
    'SourceGone',
    `The folder ${path} ${words[obstacle]}. Put it back, or mount its disk; nothing was taken for deleted.`,
  );
}
