import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Whole or not at all, readable by the owner only, and on the disk when this returns. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.partial`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
}
