import type { Block, DocumentContent } from '../../domain/document.ts';
import { lineStarts } from '../../domain/lines.ts';

const smallParagraph = 200;
const largeParagraph = 600;

/** Paragraphs between empty lines; with `underlined`, headings as reStructuredText has them. The text is the source. */
export function parseText(text: string, { underlined }: { readonly underlined: boolean }): DocumentContent {
  const blocks = underlined ? withHeadings(text, paragraphs(text)) : together(paragraphs(text));
  const first = blocks[0];
  const title = first?.kind === 'heading' ? (first.heading ?? null) : null;
  return { title, text, blocks, places: { unit: 'line' } };
}

function paragraphs(text: string): Block[] {
  const starts = lineStarts(text);
  const found: Block[] = [];
  let open: number | null = null;
  for (const [index, start] of starts.entries()) {
    const end = starts[index + 1] ?? text.length;
    const isEmpty = text.slice(start, end).trim() === '';
    if (!isEmpty) open ??= start;
    if (open === null || (!isEmpty && end < text.length)) continue;
    found.push({ kind: 'paragraph', start: open, end: isEmpty ? start : end });
    open = null;
  }
  return found;
}

/** Short paragraphs with those before them, so that a log with an empty line after each does not make a million blocks. */
function together(blocks: readonly Block[]): Block[] {
  const result: Block[] = [];
  for (const block of blocks) {
    const last = result.at(-1);
    const isSmall = block.end - block.start < smallParagraph;
    if (last === undefined || !isSmall || block.end - last.start > largeParagraph) result.push(block);
    else result[result.length - 1] = { ...last, end: block.end };
  }
  return result;
}

/** The first mark that underlines is the first level, and so on, as reStructuredText counts them. */
function withHeadings(text: string, blocks: readonly Block[]): Block[] {
  const marks: string[] = [];
  return blocks.flatMap((block) => {
    const heading = underlinedHeading(text.slice(block.start, block.end));
    if (heading === null) return [block];
    if (!marks.includes(heading.mark)) marks.push(heading.mark);
    const end = block.start + heading.length;
    const level = Math.min(6, marks.indexOf(heading.mark) + 1);
    const title: Block = { kind: 'heading', start: block.start, end, level, heading: heading.text };
    return end < block.end ? [title, { ...block, start: end }] : [title];
  });
}

function underlinedHeading(source: string): { mark: string; text: string; length: number } | null {
  const [first = 0, ...more] = lineStarts(source);
  const lineAt = (index: number) => source.slice(more[index - 1] ?? first, more[index] ?? source.length).trimEnd();
  const isOver = markOf(lineAt(0)) !== null && more.length > 1;
  const text = lineAt(isOver ? 1 : 0).trim();
  const under = lineAt(isOver ? 2 : 1);
  const mark = markOf(under);
  if (mark === null || text === '' || under.length < text.length) return null;
  return { mark: isOver ? mark + mark : mark, text, length: more[isOver ? 2 : 1] ?? source.length };
}

/** Of a line that is one mark, at least three times. */
function markOf(line: string): string | null {
  const mark = line.charAt(0);
  if (line.length < 3 || !'=-`:\'"~^_*+#<>.'.includes(mark)) return null;
  return line === mark.repeat(line.length) ? mark : null;
}
