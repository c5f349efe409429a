import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replacementStates } from '../../domain/restore/replacement.ts';

const attributes = z.strictObject({ mode: z.number().int(), uid: z.number().int(), gid: z.number().int() });

const journalSchema = z.strictObject({
  format: z.literal('holdfast-replacement/1'),
  state: z.enum(replacementStates),
  /** Of the folder itself, before and after. */
  old_root: attributes,
  new_root: attributes,
  /** What is at the top of the new contents; none before they are ready. */
  entries: z.array(z.string()),
});
export type Journal = z.output<typeof journalSchema>;

const fileName = 'journal.json';

/** null: there is none, and so nothing was begun, or all of it is over. */
export async function readJournal(workFolder: string): Promise<Journal | null> {
  try {
    return journalSchema.parse(JSON.parse(await readFile(join(workFolder, fileName), 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Whole or not at all, and on the disk when this returns. */
export async function writeJournal(workFolder: string, journal: Journal): Promise<void> {
  await mkdir(workFolder, { recursive: true, mode: 0o700 });
  const partial = join(workFolder, `${fileName}.partial`);
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify(journal));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, join(workFolder, fileName));
  await syncFolder(workFolder);
}

/** From here on nothing was begun. What is beside it is nobody's. */
export async function removeJournal(workFolder: string): Promise<void> {
  await rm(join(workFolder, fileName));
  await syncFolder(workFolder);
}

/** What was renamed into or out of a folder stays so when the power goes. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
