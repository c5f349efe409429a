import type { Block, DocumentContent } from '../../domain/document.ts';
import { lineStarts } from '../../domain/lines.ts';

/**
 * Source code and configuration of any language: a block begins at an unindented line after an empty one, where most
 * languages begin a declaration; a long one is divided at its empty lines and remembers its first line.
 */
export function parseCode(text: string): DocumentContent {
  const lines = linesOf(text);
  const blocks: Block[] = [];
  let from = 0;
  for (let index = 1; index <= lines.length; index += 1) {
    if (index < lines.length && !(lines[index]?.isTop === true && lines[index - 1]?.isEmpty === true)) continue;
    const block = blockOf(lines.slice(from, index), lines[index]?.start ?? text.length);
    if (block !== null) blocks.push(block);
    from = index;
  }
  return { title: null, text, blocks, places: { unit: 'line' } };
}

interface Line {
  readonly start: number;
  readonly isEmpty: boolean;
  /** Unindented, and nothing that ends what is above. */
  readonly isTop: boolean;
  readonly isComment: boolean;
}

function linesOf(text: string): Line[] {
  const starts = lineStarts(text);
  return starts.map((start, index) => {
    const line = text.slice(start, Math.min(starts[index + 1] ?? text.length, start + 100));
    return {
      start,
      isEmpty: line.trim() === '',
      isTop: /^[^\s)\]}]/.test(line) && !/^end\b/.test(line),
      isComment: /^\s*(?:\/\/|\/\*|\*|#|--|;|@|<!--|"""|''')/.test(line),
    };
  });
}

function blockOf(lines: readonly Line[], end: number): Block | null {
  const [first] = lines;
  if (first === undefined || lines.every(({ isEmpty }) => isEmpty)) return null;
  const cuts = lines.flatMap(({ start, isEmpty }, index) =>
    !isEmpty && lines[index - 1]?.isEmpty === true ? [start] : [],
  );
  const declared = lines.findIndex(({ isEmpty, isComment }) => !isEmpty && !isComment);
  const declaration = lines[declared];
  const after = lines[declared + 1]?.start;
  // Of a single line there is nothing that came before.
  const context =
    declaration === undefined || after === undefined ? {} : { context: { start: declaration.start, end: after } };
  return { kind: 'code', start: first.start, end, ...(cuts.length === 0 ? {} : { cuts }), ...context };
}
