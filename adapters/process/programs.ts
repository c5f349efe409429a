import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

/**
 * Why a program could not be started, in words; null when nothing is known against it. A relative path, also in PATH, is
 * only known once the folder is there that it starts from.
 */
export async function programObstacle(program: string, searchPath: string): Promise<string | null> {
  if (isAbsolute(program)) return unusable(program);
  if (program.includes('/')) return null;
  const folders = searchPath.split(delimiter);
  if (folders.some((folder) => !isAbsolute(folder))) return null;
  const found = await Promise.all(folders.map((folder) => unusable(join(folder, program))));
  return found.includes(null) ? null : `${program} is on no folder of PATH`;
}

async function unusable(path: string): Promise<string | null> {
  const stats = await stat(path).catch(() => null);
  if (stats === null) return `${path} is not there`;
  if (!stats.isFile()) return `${path} is not a file`;
  return access(path, constants.X_OK).then(
    () => null,
    () => `${path} is not executable`,
  );
}
