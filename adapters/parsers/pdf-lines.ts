import type { TextItem, TextMarkedContent } from 'pdfjs-dist/types/src/display/api.js';

export interface PdfLine {
  readonly text: string;
  /** Of its tallest letters, in points. */
  readonly height: number;
  /** From the bottom of the page to its base line, in points. */
  readonly y: number;
}

/** The lines of a page, in the order in which the page draws them. */
export function pageLines(items: readonly (TextItem | TextMarkedContent)[]): PdfLine[] {
  const lines: PdfLine[] = [];
  let text = '';
  let height = 0;
  let y = 0;
  const end = () => {
    const trimmed = text.trim();
    if (trimmed !== '') lines.push({ text: trimmed, height, y });
    text = '';
    height = 0;
  };
  for (const item of items) {
    if (!('str' in item)) continue;
    if (item.str.trim() !== '') {
      if (height === 0) y = Number(item.transform[5]);
      height = Math.max(height, Math.round(Math.abs(item.height) * 2) / 2);
    }
    text += item.str;
    if (item.hasEOL) end();
  }
  end();
  return lines;
}
