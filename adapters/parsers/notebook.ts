import { z } from 'zod';
import type { Block, DocumentContent } from '../../domain/document.ts';
import { parseMarkdown } from './markdown.ts';
import { ParseFailure } from './parse-failure.ts';

const longestOutput = 2_000;

const sourceSchema = z.union([z.string(), z.array(z.string()).transform((lines) => lines.join(''))]);
const outputSchema = z.object({
  text: sourceSchema.optional().catch(undefined),
  data: z.object({ 'text/plain': sourceSchema.optional() }).optional().catch(undefined),
});
const cellSchema = z.object({
  cell_type: z.string(),
  source: sourceSchema.optional(),
  // Of version 3.
  input: sourceSchema.optional(),
  outputs: z.array(outputSchema).optional().catch(undefined),
});
const notebookSchema = z.union([
  z.object({ cells: z.array(cellSchema) }),
  z
    .object({ worksheets: z.array(z.object({ cells: z.array(cellSchema) })) })
    .transform(({ worksheets }) => ({ cells: worksheets.flatMap(({ cells }) => cells) })),
]);

/** Jupyter, versions 3 to 5: the cells in their order, of outputs only text. Throws ParseFailure `malformed`. */
export function parseNotebook(source: string): DocumentContent {
  let text = '';
  const blocks: Block[] = [];
  const starts: number[] = [];
  let title: string | null = null;
  const append = (content: DocumentContent) => {
    if (content.text.trim() === '') return;
    for (const block of content.blocks) blocks.push(moved(block, text.length));
    text += `${content.text}\n\n`;
  };
  for (const cell of cellsOf(source)) {
    starts.push(text.length);
    const content = cell.cell_type === 'markdown' ? parseMarkdown(sourceOf(cell)) : plain('code', sourceOf(cell));
    title ??= content.title;
    append(content);
    for (const output of cell.outputs ?? []) append(plain('data', outputOf(output)));
  }
  return { title, text, blocks, places: starts.length === 0 ? null : { unit: 'cell', starts } };
}

function cellsOf(source: string): readonly z.infer<typeof cellSchema>[] {
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch {
    throw new ParseFailure('malformed', 'the notebook is not JSON');
  }
  const notebook = notebookSchema.safeParse(json);
  if (!notebook.success) throw new ParseFailure('malformed', 'it is JSON, but not a notebook');
  return notebook.data.cells;
}

function sourceOf({ source, input }: z.infer<typeof cellSchema>): string {
  return source ?? input ?? '';
}

function outputOf({ text, data }: z.infer<typeof outputSchema>): string {
  return (text ?? data?.['text/plain'] ?? '').slice(0, longestOutput);
}

function plain(kind: 'code' | 'data', text: string): DocumentContent {
  return { title: null, text, blocks: [{ kind, start: 0, end: text.length }], places: null };
}

function moved(block: Block, by: number): Block {
  return {
    ...block,
    start: block.start + by,
    end: block.end + by,
    ...(block.cuts === undefined ? {} : { cuts: block.cuts.map((cut) => cut + by) }),
    ...(block.context === undefined
      ? {}
      : { context: { start: block.context.start + by, end: block.context.end + by } }),
  };
}
