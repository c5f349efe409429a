import { access, constants, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { onPath } from './stack/prerequisites.js';

const debian = '/usr/lib/postgresql';

/** Folders that hold pg_dump and pg_restore, newest version first. A server is not needed beside them: in a container there is none. */
export async function postgresPrograms(path = process.env['PATH']): Promise<readonly string[]> {
  const versions = (await readdir(debian).catch(() => [])).sort((a, b) => Number(b) - Number(a));
  const found = await onPath('pg_dump', path);
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(found === null ? [] : [dirname(found)]),
  ];
  const here = await Promise.all(folders.map(hasBoth));
  return [...new Set(folders.filter((_, at) => here[at] === true))];
}

function hasBoth(folder: string): Promise<boolean> {
  const both = ['pg_dump', 'pg_restore'].map((name) => access(join(folder, name), constants.X_OK));
  return Promise.all(both).then(
    () => true,
    () => false,
  );
}
