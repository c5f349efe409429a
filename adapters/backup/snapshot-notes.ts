import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { QdrantServer } from '../qdrant/connect.ts';
import { deleteSnapshot, listSnapshots, type MadeSnapshot } from './qdrant-snapshot.ts';

const noteSchema = z.array(
  z.union([
    z.object({ collection: z.string(), name: z.string() }),
    // One was asked for, and its name is not known: those that were there are not it.
    z.object({ collection: z.string(), known: z.array(z.string()) }),
  ]),
);
type Note = z.infer<typeof noteSchema>[number];

/** Snapshots that are on the server because of us, noted in a file: a process that dies leaves the note. */
export function snapshotNotes(work: string) {
  const path = join(work, 'qdrant-snapshots.json');
  const read = async () =>
    noteSchema.parse(
      JSON.parse(
        await readFile(path, 'utf8').catch((error: unknown) => {
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '[]';
          throw error;
        }),
      ),
    );
  const write = async (notes: readonly Note[]): Promise<void> => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.partial`, JSON.stringify(notes), { flush: true });
    await rename(`${path}.partial`, path);
  };
  return {
    /** Before it is asked for: a process that dies right then never hears its name. */
    async intend(collection: string, known: readonly string[]): Promise<void> {
      await write([...(await read()), { collection, known: [...known] }]);
    },
    async note({ collection, name }: Pick<MadeSnapshot, 'collection' | 'name'>): Promise<void> {
      const others = (await read()).filter((each) => each.collection !== collection);
      await write([...others, { collection, name }]);
    },
    async deleteAll(qdrant: QdrantServer): Promise<void> {
      for (const note of await read()) {
        const { collection } = note;
        const names =
          'name' in note
            ? [note.name]
            : (await listSnapshots(qdrant, collection)).filter((name) => !note.known.includes(name));
        for (const name of names) await deleteSnapshot(qdrant, collection, name);
      }
      await rm(path, { force: true });
    },
  };
}
