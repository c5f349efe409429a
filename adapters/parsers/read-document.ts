import { open } from 'node:fs/promises';
import type { DocumentContent, DocumentFormat, ParsedDocument, Quarantined } from '../../domain/document.ts';
import { formatOf, headBytes, mediaTypeOf } from '../../domain/media-type.ts';
import { decodeText } from './decode.ts';
import { ParseFailure } from './parse-failure.ts';
import type { ParseLimits, ParseRequest } from './request.ts';

const longestDetail = 300;

/** Reads and parses one file, in this process. Throws only what has to do with the file system. */
export async function readDocument(request: ParseRequest, limits: ParseLimits): Promise<ParsedDocument | Quarantined> {
  const file = await open(request.path);
  let mediaType: string | null = null;
  try {
    const { size } = await file.stat();
    const head = await file.read({ buffer: Buffer.alloc(headBytes), position: 0 });
    mediaType = mediaTypeOf(request.name, head.buffer.subarray(0, head.bytesRead), request.mediaType);
    const format = readableFormat(mediaType, size, limits);
    const bytes = await file.readFile();
    return await parseBytes({ bytes, mediaType, format }, limits);
  } catch (error) {
    if (isOfFileSystem(error)) throw error;
    return { ...failureOf(error), mediaType };
  } finally {
    await file.close();
  }
}

function readableFormat(mediaType: string, size: number, limits: ParseLimits): DocumentFormat {
  const format = formatOf(mediaType);
  if (size === 0) throw new ParseFailure('empty', 'it has no bytes');
  if (mediaType === 'application/octet-stream') throw new ParseFailure('binary', 'it is not text');
  if (format === null) throw new ParseFailure('unsupported_type', `${mediaType} is not read`);
  if (size > limits.fileBytes)
    throw new ParseFailure('file_too_large', `it has ${size} bytes; ${limits.fileBytes} are read`);
  // A character is three bytes at most, for each of our units.
  if (isSource(format) && size > limits.textUnits * 3) throw tooLong(limits);
  return format;
}

async function parseBytes(
  { bytes, mediaType, format }: { bytes: Buffer; mediaType: string; format: DocumentFormat },
  limits: ParseLimits,
): Promise<ParsedDocument> {
  const content = wellFormed(await contentOf(bytes, mediaType, format, limits));
  if (content.text.trim() === '') throw new ParseFailure('no_text', 'there is no text in it');
  if (content.text.length > limits.textUnits) throw tooLong(limits);
  if (content.blocks.length > limits.blocks)
    throw new ParseFailure('too_many_blocks', `it has more than ${limits.blocks} headings, paragraphs and the like`);
  return { ...content, mediaType, format };
}

/** Each parser is loaded when it is first wanted: most children never see a PDF. */
async function contentOf(
  bytes: Buffer,
  mediaType: string,
  format: DocumentFormat,
  limits: ParseLimits,
): Promise<DocumentContent> {
  if (format === 'pdf') return (await import('./pdf.ts')).parsePdf(bytes, limits.textUnits);
  if (format === 'docx') return (await import('./docx.ts')).parseDocx(bytes);
  if (format === 'html') {
    const html = await import('./html.ts');
    return html.parseHtml(html.decodeHtml(bytes));
  }
  const text = decodeText(bytes);
  if (text.length > limits.textUnits) throw tooLong(limits);
  if (format === 'markdown') return (await import('./markdown.ts')).parseMarkdown(text);
  if (format === 'code') return (await import('./code.ts')).parseCode(text);
  if (format === 'csv') return (await import('./csv.ts')).parseCsv(text);
  if (format === 'notebook') return (await import('./notebook.ts')).parseNotebook(text);
  if (format === 'text') return (await import('./text.ts')).parseText(text, { underlined: mediaType === 'text/x-rst' });
  const json = await import('./json.ts');
  return mediaType === 'application/x-ndjson' ? json.parseJsonLines(text) : json.parseJson(text);
}

/** Its text is the file itself. */
function isSource(format: DocumentFormat): boolean {
  return format !== 'pdf' && format !== 'docx' && format !== 'html' && format !== 'notebook';
}

/** Escapes and fonts can make of a document what is no text: each such unit becomes another one, so that offsets stay. */
function wellFormed(content: DocumentContent): DocumentContent {
  const clean = (text: string) => text.replace(/[\0\ud800-\udfff]/gu, '\ufffd');
  const blocks = content.blocks.map((block) =>
    block.heading === undefined ? block : { ...block, heading: clean(block.heading) },
  );
  return { ...content, text: clean(content.text), title: content.title === null ? null : clean(content.title), blocks };
}

function tooLong({ textUnits }: ParseLimits): ParseFailure {
  return new ParseFailure('text_too_long', `it has more than ${textUnits} characters of text`);
}

function failureOf(error: unknown): Pick<Quarantined, 'reason' | 'detail'> {
  const message = error instanceof Error ? error.message : String(error);
  const detail = message.replace(/\s+/g, ' ').slice(0, longestDetail);
  if (error instanceof ParseFailure) return { reason: error.reason, detail };
  if (!(error instanceof RangeError)) return { reason: 'malformed', detail };
  // The parsers of others go down by recursion.
  const isDeep = message.includes('call stack');
  return { reason: isDeep ? 'nested_too_deep' : 'memory_exceeded', detail };
}

function isOfFileSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
