import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { writeAtomically } from './write-atomically.ts';

/** A secret in a file, that is made once and then stays. */
export async function keptSecret(path: string): Promise<string> {
  if (existsSync(path)) return (await readFile(path, 'utf8')).trim();
  const value = randomBytes(24).toString('base64url');
  await writeAtomically(path, value);
  return value;
}
