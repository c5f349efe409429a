import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceSpec } from '../../domain/service.ts';
import type { FileSet } from './file-set.ts';

export interface DeclaringService {
  readonly name: string;
  readonly spec: Pick<ServiceSpec, 'box' | 'files'>;
}

/** In the order in which they are shown: Holdfast's own first. What is being staged just now belongs to no wave that can be seen. */
export async function declaredFiles(
  { home, box }: { readonly home: string; readonly box: string },
  services: readonly DeclaringService[],
): Promise<FileSet[]> {
  const staged = join(home, 'staged');
  const own = (await isThere(staged)) ? [{ name: 'staged', service: null, root: staged, exclude: ['partial/**'] }] : [];
  const theirs = services
    .filter(({ spec }) => spec.box === box)
    .flatMap(({ name: service, spec }) =>
      (spec.files ?? []).map(({ name, path, exclude }) => ({
        ...{ name: `${service}-${name}`, service, root: path, exclude },
      })),
    );
  return [...own, ...theirs];
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
