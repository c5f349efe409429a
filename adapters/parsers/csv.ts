import { parse, type Info } from 'csv-parse/sync';
import type { DocumentContent } from '../../domain/document.ts';

interface CsvRecord {
  readonly info: Info;
  readonly record: readonly string[];
}

const delimiters = [',', ';', '\t', '|'];
const longestName = 40;

/** One table, divided between records, whose first record is taken for the header of all others where it looks like one. The text is the source. */
export function parseCsv(text: string): DocumentContent {
  const bytes = Buffer.from(text);
  const records = parse(bytes, {
    delimiter: delimiterOf(text),
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
  }) as unknown as readonly CsvRecord[];
  const ends = endsInText(bytes, records);
  const [headerEnd] = ends;
  if (headerEnd === undefined) return { title: null, text, blocks: [], places: { unit: 'line' } };
  const context = isHeader(records[0]?.record ?? []) ? { context: { start: 0, end: headerEnd } } : {};
  const table = { kind: 'table', start: 0, end: text.length, cuts: ends, ...context } as const;
  return { title: null, text, blocks: [table], places: { unit: 'line' } };
}

/** Names of columns: each its own, short, and no number or date. */
function isHeader(cells: readonly string[]): boolean {
  const isName = (cell: string) => /^\D*\p{L}/u.test(cell.trim()) && cell.length <= longestName;
  return cells.every(isName) && new Set(cells).size === cells.length;
}

/** The parser counts bytes of UTF-8. */
function endsInText(bytes: Buffer, records: readonly CsvRecord[]): number[] {
  let from = 0;
  let units = 0;
  return records.map(({ info }) => {
    units += bytes.toString('utf8', from, info.bytes).length;
    from = info.bytes;
    return units;
  });
}

/** The one that the first line has most of. */
function delimiterOf(text: string): string {
  const line = /^[^\r\n]{0,10000}/.exec(text.trimStart())?.[0] ?? '';
  const counted = delimiters.map((delimiter) => ({ delimiter, count: line.split(delimiter).length }));
  return counted.reduce((most, one) => (one.count > most.count ? one : most)).delimiter;
}
