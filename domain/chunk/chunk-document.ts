import type { Block, ParsedDocument, Quarantined } from '../document.ts';
import { createPlaces, type ChunkPlace } from './chunk-place.ts';
import { isBlank, isWhite } from './divide.ts';
import { pack, type ChunkLimits, type Packed } from './pack.ts';

export interface Chunk {
  /** From 0, in the order of the text. */
  readonly ordinal: number;
  /** The headings above its text and in front of it, the outermost first, as text without markup. */
  readonly heading: readonly string[];
  /** In UTF-16 code units: `text` is exactly this part of the document's text. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly place: ChunkPlace;
  /** What is embedded and weighed: title and headings that `text` does not have, the context of a divided block, `text`. */
  readonly embedded: string;
}

/** For a model of 256 word pieces, two of them its own, with room for what the estimate misses. */
export const defaultChunkLimits: ChunkLimits = {
  targetTokens: 210,
  maxTokens: 245,
  headingTokens: 48,
  maxChunks: 20_000,
};

/**
 * A document in chunks that follow its headings, and divide tables between rows, code between declarations or lines, prose
 * between sentences where that is possible. Nothing but white space is in no chunk; no chunk is blank; none overlap. Equal
 * documents have equal chunks. Quarantined when there are more than `maxChunks`.
 */
export function chunkDocument(
  document: ParsedDocument,
  limits: ChunkLimits = defaultChunkLimits,
): Chunk[] | Quarantined {
  const packed = pack(document, coveringBlocks(document), limits);
  if (packed.length > limits.maxChunks) {
    const detail = `it makes more than ${limits.maxChunks} chunks`;
    return { reason: 'too_many_chunks', detail, mediaType: document.mediaType };
  }
  const placeOf = createPlaces(document);
  return packed.map((one, ordinal) => toChunk(document.text, one, ordinal, placeOf));
}

/** The blocks and, as paragraphs, what is between them; none of them blank. */
function coveringBlocks({ text, blocks }: ParsedDocument): Block[] {
  const covering: Block[] = [];
  let covered = 0;
  const cover = (block: Block) => {
    if (!isBlank(text, block)) covering.push(block);
    covered = Math.max(covered, block.end);
  };
  for (const block of blocks) {
    if (block.start > covered) cover({ kind: 'paragraph', start: covered, end: block.start });
    cover(block);
  }
  if (covered < text.length) cover({ kind: 'paragraph', start: covered, end: text.length });
  return covering;
}

function toChunk(text: string, packed: Packed, ordinal: number, placeOf: (range: Packed) => ChunkPlace): Chunk {
  const range = { ...packed, ...trimmed(text, packed) };
  const own = text.slice(range.start, range.end);
  const embedded = [packed.prefix.text, packed.context.text, own].filter((part) => part !== '').join('\n\n');
  const heading = packed.path.map((one) => one.text);
  return { ordinal, heading, start: range.start, end: range.end, text: own, place: placeOf(range), embedded };
}

/** Without blank lines in front and white space behind; the first line keeps its indent. */
function trimmed(text: string, packed: Packed): { start: number; end: number } {
  let { start, end } = packed;
  while (end > start && isWhite(text, end - 1)) end -= 1;
  while (start < end && isWhite(text, start)) start += 1;
  while (start > packed.start && (text.charAt(start - 1) === ' ' || text.charAt(start - 1) === '\t')) start -= 1;
  return { start, end };
}
