import './pdf-globals.ts';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { getDocument, type PDFDocumentProxy } from 'pdfjs-dist/legacy/build/pdf.mjs';
import type { Block, DocumentContent } from '../../domain/document.ts';
import { ParseFailure } from './parse-failure.ts';
import { pageLines, type PdfLine } from './pdf-lines.ts';
import { pdfBlocks } from './pdf-blocks.ts';

const packageFolder = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'));

// Text alone is wanted: no font is loaded, nothing is drawn, and nothing of the file is evaluated.
const options = {
  isEvalSupported: false,
  disableFontFace: true,
  useSystemFonts: false,
  useWasm: false,
  useWorkerFetch: false,
  enableXfa: false,
  verbosity: 0,
  // Which characters the codes of Chinese, Japanese and Korean fonts are.
  cMapUrl: join(packageFolder, 'cmaps/'),
  cMapPacked: true,
};

/** The text of its pages, in the order in which the file has it. Throws ParseFailure `encrypted`, `malformed`, `text_too_long`. */
export async function parsePdf(bytes: Uint8Array, mostUnits: number): Promise<DocumentContent> {
  const task = getDocument({ ...options, data: new Uint8Array(bytes) });
  try {
    const document = await task.promise;
    return await contentOf(document, mostUnits);
  } catch (error) {
    if (isOfPassword(error)) throw new ParseFailure('encrypted', 'it asks for a password');
    throw error;
  } finally {
    await task.destroy();
  }
}

async function contentOf(document: PDFDocumentProxy, mostUnits: number): Promise<DocumentContent> {
  const pages: PdfLine[][] = [];
  let units = 0;
  for (let number = 1; number <= document.numPages; number += 1) {
    const page = await document.getPage(number);
    const lines = pageLines((await page.getTextContent()).items);
    page.cleanup();
    units += lines.reduce((sum, { text }) => sum + text.length + 1, 0);
    if (units > mostUnits) throw new ParseFailure('text_too_long', `it has more than ${mostUnits} characters of text`);
    pages.push(lines);
  }
  const { text, blocks, starts } = pdfBlocks(pages);
  return { title: await titleOf(document, blocks), text, blocks, places: { unit: 'page', starts } };
}

async function titleOf(document: PDFDocumentProxy, blocks: readonly Block[]): Promise<string | null> {
  const { info } = await document.getMetadata();
  const stated = 'Title' in info && typeof info.Title === 'string' ? info.Title.trim() : '';
  // Word processors put the name of a file there.
  if (stated !== '' && !/[\\/]|\.\w{2,4}$|^Microsoft |^untitled/i.test(stated)) return stated.slice(0, 500);
  const first = blocks.find(({ kind }) => kind === 'heading');
  return first?.level === 1 ? (first.heading ?? null) : null;
}

function isOfPassword(error: unknown): boolean {
  return error instanceof Error && error.name === 'PasswordException';
}
