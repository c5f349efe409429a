import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Whether something is mounted right there: then the folder itself can be neither removed nor renamed (row B7). */
export async function isMountPoint(path: string): Promise<boolean> {
  const real = await realpath(path);
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => null);
  if (mounts === null) return (await stat(real)).dev !== (await stat(dirname(real))).dev;
  return mounts.split('\n').some((line) => unescaped(line.split(' ')[4] ?? '') === real);
}

/** Blanks and backslashes are written as octal numbers there. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
