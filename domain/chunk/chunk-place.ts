import type { ParsedDocument, Range } from '../document.ts';
import { indexAt, lineStarts } from '../lines.ts';

/** Where a chunk is for a person to find, counted from 1; nothing where the format has no such places. */
export type ChunkPlace =
  | { readonly line: number; readonly end_line: number }
  | { readonly page: number; readonly end_page: number }
  | { readonly cell: number; readonly end_cell: number }
  | Readonly<Record<string, never>>;

export function createPlaces({ text, places }: ParsedDocument): (range: Range) => ChunkPlace {
  if (places === null) return () => ({});
  const starts = places.unit === 'line' ? lineStarts(text) : places.starts;
  return ({ start, end }) => {
    const first = indexAt(starts, start) + 1;
    const last = indexAt(starts, Math.max(start, end - 1)) + 1;
    if (places.unit === 'line') return { line: first, end_line: last };
    if (places.unit === 'page') return { page: first, end_page: last };
    return { cell: first, end_cell: last };
  };
}
