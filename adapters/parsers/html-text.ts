import type { Block, BlockKind, DocumentContent } from '../../domain/document.ts';

const blockElements = new Set(
  'address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure form h1 h2 h3 h4 h5 h6 header hr html legend li main ol p pre section summary table tbody tfoot thead tr ul'.split(
    ' ',
  ),
);
const cells = new Set(['td', 'th']);
const longestHeading = 500;

/** Text and blocks out of elements as they open and close; a table is one block, divided between rows. */
export function createHtmlText() {
  const pieces: string[] = [];
  const blocks: Block[] = [];
  let length = 0;
  let blockStart = 0;
  let blockPiece = 0;
  // Of a block, a row or a cell: no space before it.
  let fresh = 0;
  let wantsSpace = false;
  let preformatted = 0;
  let lists = 0;
  let quotes = 0;
  let level = 0;
  let tables = 0;
  let rows: number[] = [];

  function append(text: string): void {
    pieces.push(text);
    length += text.length;
  }

  function startBlock(): void {
    blockStart = fresh = length;
    blockPiece = pieces.length;
  }

  function kind(): BlockKind {
    if (level > 0) return 'heading';
    if (preformatted > 0) return 'code';
    if (lists > 0) return 'list';
    return quotes > 0 ? 'quote' : 'paragraph';
  }

  function endBlock(separator = '\n\n'): void {
    wantsSpace = false;
    if (length === blockStart) return;
    const block = { kind: kind(), start: blockStart, end: length };
    const heading = () => pieces.slice(blockPiece).join('').slice(0, longestHeading).trim();
    blocks.push(block.kind === 'heading' ? { ...block, level, heading: heading() } : block);
    append(separator);
    startBlock();
  }

  function endTable(): void {
    const cuts = rows.filter((row) => row > blockStart);
    const [headerEnd] = cuts;
    if (length > blockStart)
      blocks.push({
        kind: 'table',
        start: blockStart,
        end: length,
        cuts,
        ...(headerEnd === undefined ? {} : { context: { start: blockStart, end: headerEnd } }),
      });
    rows = [];
    append('\n\n');
    startBlock();
    wantsSpace = false;
  }

  function openInTable(tagName: string): void {
    if (tagName === 'tr') {
      if (length > blockStart) append('\n');
      rows.push(length);
      fresh = length;
    } else if (cells.has(tagName) && length > (rows.at(-1) ?? 0)) {
      append(' | ');
      fresh = length;
    } else if (blockElements.has(tagName)) wantsSpace = true;
  }

  return {
    open(tagName: string): void {
      if (tables === 0 && blockElements.has(tagName)) endBlock(tagName === 'li' ? '\n' : '\n\n');
      if (tagName === 'table') tables += 1;
      else if (tables > 0) openInTable(tagName);
      if (tagName === 'pre') preformatted += 1;
      if (tagName === 'li') lists += 1;
      if (tagName === 'blockquote') quotes += 1;
      if (/^h[1-6]$/.test(tagName)) level = Number(tagName.charAt(1));
      if (tagName === 'br') this.add(preformatted > 0 ? '\n' : ' ');
    },
    close(tagName: string): void {
      if (tagName === 'table') {
        tables -= 1;
        if (tables === 0) endTable();
      } else if (tables === 0 && blockElements.has(tagName)) endBlock(tagName === 'li' ? '\n' : '\n\n');
      if (tagName === 'pre') preformatted -= 1;
      if (tagName === 'li') lists -= 1;
      if (tagName === 'blockquote') quotes -= 1;
      if (/^h[1-6]$/.test(tagName)) level = 0;
    },
    add(text: string): void {
      if (preformatted > 0 && tables === 0) {
        append(text);
        return;
      }
      const words = text.replace(/\s+/g, ' ');
      const own = words.trim();
      if (own !== '' && (wantsSpace || words.startsWith(' ')) && length > fresh) append(' ');
      if (own !== '') append(own);
      wantsSpace = own === '' ? wantsSpace || words !== '' : words.endsWith(' ');
    },
    end(): Pick<DocumentContent, 'text' | 'blocks'> {
      if (tables > 0) endTable();
      endBlock();
      return { text: pieces.join(''), blocks };
    },
  };
}
