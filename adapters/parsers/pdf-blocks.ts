import type { Block } from '../../domain/document.ts';
import type { PdfLine } from './pdf-lines.ts';

const longestHeading = 150;
const largerThanText = 1.12;
const paragraphGap = 1.6;

export interface PdfText {
  readonly text: string;
  readonly blocks: readonly Block[];
  /** Where each page begins. */
  readonly starts: readonly number[];
}

/**
 * Lines in paragraphs, by the gaps between them. A short line of letters larger than most of the text is a heading; the
 * sizes of headings, the largest first, are their levels. A word that was divided at the end of a line is put together.
 */
export function pdfBlocks(pages: readonly (readonly PdfLine[])[]): PdfText {
  const textHeight = commonHeight(pages.flat());
  const isHeading = ({ text, height }: PdfLine) =>
    height >= textHeight * largerThanText && text.length <= longestHeading;
  const sizes = [
    ...new Set(
      pages
        .flat()
        .filter(isHeading)
        .map(({ height }) => height),
    ),
  ].sort((a, b) => b - a);
  const blocks: Block[] = [];
  const starts: number[] = [];
  let text = '';
  const add = (lines: readonly PdfLine[]) => {
    const [first] = lines;
    if (first === undefined) return;
    const start = text.length;
    const own = joined(lines);
    text += `${own}\n\n`;
    const range = { start, end: start + own.length };
    const level = Math.min(6, sizes.indexOf(first.height) + 1);
    blocks.push(
      isHeading(first)
        ? { kind: 'heading', ...range, level, heading: own.replace(/\s+/g, ' ') }
        : { kind: 'paragraph', ...range },
    );
  };
  for (const page of pages) {
    starts.push(text.length);
    paragraphsOf(page, isHeading).forEach(add);
  }
  return { text, blocks, starts };
}

/** Of most characters. */
function commonHeight(lines: readonly PdfLine[]): number {
  const characters = new Map<number, number>();
  for (const { height, text } of lines) characters.set(height, (characters.get(height) ?? 0) + text.length);
  return [...characters].reduce((most, one) => (one[1] > most[1] ? one : most), [0, 0])[0];
}

function paragraphsOf(lines: readonly PdfLine[], isHeading: (line: PdfLine) => boolean): PdfLine[][] {
  const paragraphs: PdfLine[][] = [];
  for (const line of lines) {
    const last = paragraphs.at(-1)?.at(-1);
    const isNext =
      last !== undefined &&
      isHeading(last) === isHeading(line) &&
      (!isHeading(line) || last.height === line.height) &&
      Math.abs(last.y - line.y) <= Math.max(last.height, line.height) * paragraphGap;
    if (isNext) paragraphs.at(-1)?.push(line);
    else paragraphs.push([line]);
  }
  return paragraphs;
}

function joined(lines: readonly PdfLine[]): string {
  return lines.reduce((text, line, index) => {
    if (index === 0) return line.text;
    const isDivided = /\p{L}-$/u.test(text.slice(-3)) && /^\p{Ll}/u.test(line.text);
    return isDivided ? text.slice(0, -1) + line.text : `${text}\n${line.text}`;
  }, '');
}
