import { Readable } from 'node:stream';
import { pack, type Pack } from 'tar-stream';

/** A file, a folder or a link, as it goes into an archive. */
export interface TarEntry {
  readonly header: Parameters<Pack['entry']>[0];
  /** Exactly as many bytes as the header says; null: it has none. */
  readonly content: Buffer | Readable | null;
}

/** A tar, made as fast as it is read. What goes wrong with an entry ends it with an error. */
export function tarOf(entries: AsyncIterable<TarEntry>): Readable {
  const tar = pack();
  void fill(tar, entries);
  return Readable.from(tar, { objectMode: false });
}

async function fill(tar: Pack, entries: AsyncIterable<TarEntry>): Promise<void> {
  try {
    for await (const entry of entries) {
      // Of a tar that nobody reads any more no entry is taken, and none would close its file.
      await add(tar, entry).finally(() => entry.content instanceof Readable && entry.content.destroy());
    }
    tar.finalize();
  } catch (error) {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Through its sink also when it is a buffer: pushed as a whole, nothing would wait for who reads. */
function add(tar: Pack, { header, content }: TarEntry): Promise<void> {
  return new Promise((resolve, reject) => {
    const sink = tar.entry(header, (error) => (error ? reject(error) : resolve()));
    if (content === null) return;
    if (!(content instanceof Readable)) return void sink.end(content);
    let fault: Error | null = null;
    // Whoever reads may end first, on a full disk for one: a file that stays open keeps its room.
    sink.once('close', () => {
      content.destroy();
      reject(fault ?? new Error('The archive was not read to its end'));
    });
    content.once('error', (error) => {
      fault = error;
      reject(error);
      sink.destroy(error);
    });
    sink.once('error', (error: Error) => {
      content.destroy();
      reject(fault ?? error);
    });
    content.pipe(sink);
  });
}
