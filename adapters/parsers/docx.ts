import mammoth from 'mammoth';
import { promisify } from 'node:util';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import type { DocumentContent } from '../../domain/document.ts';
import { parseHtml } from './html.ts';
import { ParseFailure } from './parse-failure.ts';

// Of the parts that are read, which are XML; pictures are not opened.
const mostExpanded = 64 * 1024 * 1024;
const mostEntries = 10_000;
const compoundFile = [0xd0, 0xcf, 0x11, 0xe0];

const options = {
  styleMap: ["p[style-name='Title'] => h1:fresh", "p[style-name='Subtitle'] => p:fresh"],
  convertImage: mammoth.images.imgElement(() => Promise.resolve({ src: '' })),
  externalFileAccess: false,
};

/** Word documents, by way of HTML. Throws ParseFailure `encrypted`, `malformed`, `expands_too_far`. */
export async function parseDocx(bytes: Buffer): Promise<DocumentContent> {
  if (compoundFile.every((byte, index) => bytes[index] === byte))
    throw new ParseFailure('encrypted', 'it is encrypted, or of a Word older than .docx');
  await checkExpansion(bytes);
  const { value } = await mammoth.convertToHtml({ buffer: bytes }, options);
  return parseHtml(value);
}

/** Expands everything once, keeping nothing: what the directory of a ZIP file says of its sizes may be a lie. */
async function checkExpansion(bytes: Buffer): Promise<void> {
  const zip = await promisify<Buffer, yauzl.Options, ZipFile>(yauzl.fromBuffer)(bytes, { lazyEntries: true });
  let expanded = 0;
  let entries = 0;
  await eachEntry(zip, async (entry) => {
    entries += 1;
    if (entries > mostEntries) throw new ParseFailure('expands_too_far', `it has more than ${mostEntries} parts`);
    if (!/\.(?:xml|rels)$/i.test(entry.fileName)) return;
    const stream = await promisify<Entry, NodeJS.ReadableStream>(zip.openReadStream.bind(zip))(entry);
    for await (const chunk of stream) {
      expanded += chunk.length;
      if (expanded > mostExpanded)
        throw new ParseFailure('expands_too_far', `it expands to more than ${mostExpanded / 1024 / 1024} MiB`);
    }
  });
}

function eachEntry(zip: ZipFile, visit: (entry: Entry) => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    zip.on('entry', (entry: Entry) => void visit(entry).then(() => zip.readEntry(), reject));
    zip.on('end', resolve);
    zip.on('error', reject);
    zip.readEntry();
  });
}
