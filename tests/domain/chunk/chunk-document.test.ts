import fc from 'fast-check';
import { chunkDocument, defaultChunkLimits, type Chunk } from '../../../domain/chunk/chunk-document.ts';
import { estimateTokens } from '../../../domain/chunk/tokens.ts';
import type { Block, ParsedDocument, Places } from '../../../domain/document.ts';

const limits = { targetTokens: 40, maxTokens: 60, headingTokens: 12, maxChunks: 1_000 };

function document(text: string, blocks: readonly Block[], more: Partial<ParsedDocument> = {}): ParsedDocument {
  return { mediaType: 'text/plain', format: 'text', title: null, places: { unit: 'line' }, text, blocks, ...more };
}

function chunksOf(parsed: ParsedDocument, more = limits): Chunk[] {
  const chunks = chunkDocument(parsed, more);
  if ('reason' in chunks) throw new Error(chunks.detail);
  return chunks;
}

/** Blocks from `# heading`, `| table` and other lines between empty ones. */
function simple(text: string, title: string | null = null): ParsedDocument {
  const blocks: Block[] = [];
  let start = 0;
  for (const source of text.split(/(?<=\n\n)/)) {
    const end = start + source.length;
    const level = /^#+/.exec(source)?.[0].length;
    const cuts = [...source.matchAll(/\n(?=\|)/g)].map(({ index }) => start + index + 1);
    if (level !== undefined)
      blocks.push({ kind: 'heading', start, end, level, heading: source.replace(/^#+/, '').trim() });
    else if (cuts.length > 0) blocks.push({ kind: 'table', start, end, cuts, context: { start, end: cuts[0] ?? end } });
    else blocks.push({ kind: 'paragraph', start, end });
    start = end;
  }
  return document(text, blocks, { title });
}

const words = (count: number, word = 'mill') => Array.from({ length: count }, () => word).join(' ');

// What is left of a surrogate pair that was divided.
const loneHalf = /[\ud800-\udfff]/gu;

const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('mill', 'grain ', 'flour. ', 'Stone! ', '\n', '\n\n', '. ', ' ', '\t', '\r\n'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '🌾',
      '👩‍🌾',
      '麦。',
      'é',
      '\u00a0',
      'x'.repeat(300),
      '0123456789'.repeat(30),
      '|-|'.repeat(90),
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
);
const anyText = fc.array(piece, { maxLength: 200 }).map((pieces) => pieces.join('').replace(loneHalf, '?'));
const kinds = ['heading', 'paragraph', 'list', 'quote', 'code', 'table', 'data', 'frontmatter'] as const;

/** Blocks as any parser might give them: with gaps, cuts anywhere inside, headings of all levels. */
const anyDocument = fc
  .tuple(
    anyText,
    fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(...kinds), fc.integer({ min: 1, max: 6 })), {
      maxLength: 12,
    }),
    fc.option(fc.string()),
  )
  .map(([text, shapes, title]) => {
    const bounds = [...new Set(shapes.flatMap(([a, b]) => [a % (text.length + 1), b % (text.length + 1)]))].sort(
      (a, b) => a - b,
    );
    const blocks = shapes.flatMap(([cut, , kind, level], index): Block[] => {
      const [start, end] = bounds.slice(index, index + 2);
      if (start === undefined || end === undefined || start === end || isInPair(text, start) || isInPair(text, end))
        return [];
      const inside = start + (cut % (end - start));
      if (kind === 'heading') return [{ kind, start, end, level, heading: text.slice(start, end).trim() }];
      if (inside === start || isInPair(text, inside)) return [{ kind, start, end }];
      return [{ kind, start, end, cuts: [inside], context: { start, end: inside } }];
    });
    return document(text, blocks, { title });
  });

function isInPair(text: string, offset: number): boolean {
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(offset - 1, offset + 1));
}

test('W4 offsets are exact, chunks do not overlap, and nothing but white space is in none of them', () => {
  fc.assert(
    fc.property(anyDocument, (parsed) => {
      let covered = 0;
      for (const [index, chunk] of chunksOf(parsed).entries()) {
        expect(chunk.ordinal).toBe(index);
        expect(chunk.text).toBe(parsed.text.slice(chunk.start, chunk.end));
        expect(chunk.text.trim()).not.toBe('');
        expect(chunk.start).toBeGreaterThanOrEqual(covered);
        expect(parsed.text.slice(covered, chunk.start).trim()).toBe('');
        covered = chunk.end;
      }
      expect(parsed.text.slice(covered).trim()).toBe('');
    }),
    { numRuns: 1_000 },
  );
});

test('W4 no chunk is longer than the model reads, however long its headings and words are', () => {
  // What a divided word is estimated at is not quite the sum of its parts.
  const slack = 4;
  fc.assert(
    fc.property(anyDocument, (parsed) => {
      for (const { embedded } of chunksOf(parsed))
        expect(estimateTokens(embedded)).toBeLessThanOrEqual(limits.maxTokens + slack);
    }),
    { numRuns: 1_000 },
  );
});

test('W4 characters are never divided', () => {
  fc.assert(
    fc.property(anyDocument, (parsed) => {
      for (const { text, embedded, heading } of chunksOf(parsed))
        expect([text, embedded, ...heading].join('\n')).not.toMatch(loneHalf);
    }),
    { numRuns: 1_000 },
  );
});

test('W4 equal documents have equal chunks', () => {
  fc.assert(
    fc.property(anyDocument, (parsed) => {
      expect(chunkDocument(structuredClone(parsed), limits)).toEqual(chunkDocument(parsed, limits));
    }),
  );
});

test('W4 a chunk knows the headings above it, and is embedded under those that are not in its own text', () => {
  const text = `# Mill\n\n${words(35)}\n\n## Stones\n\n${words(30)}\n\n${words(30)}\n\n# Bakery\n\n${words(35)}\n\n`;
  expect(chunksOf(simple(text)).map(({ heading, embedded }) => [heading, embedded.split('\n')[0]])).toEqual([
    [['Mill'], '# Mill'],
    [['Mill', 'Stones'], 'Mill'],
    [['Mill', 'Stones'], 'Mill > Stones'],
    [['Bakery'], '# Bakery'],
  ]);
});

test('W4 a chunk is embedded under the title that a document states, once', () => {
  const text = `# Mill\n\n${words(35)}\n\n${words(35)}\n\n`;
  const first = (title: string) => chunksOf(simple(text, title)).map(({ embedded }) => embedded.split('\n')[0]);
  expect(first('A farm')).toEqual(['A farm', 'A farm > Mill']);
  expect(first('Mill')).toEqual(['# Mill', 'Mill']);
});

test('W4 of headings that are too long the innermost are kept', () => {
  const text = `# ${words(30, 'outer')}\n\n## ${words(8, 'inner')}\n\n${words(35)}\n\n${words(35)}\n\n`;
  const last = chunksOf(simple(text)).at(-1);
  expect(last?.embedded.split('\n')[0]).toBe(words(8, 'inner'));
  expect(last?.heading).toHaveLength(2);
});

test('W4 a heading stays with its text, and small sections with the one that they are in', () => {
  const text = `# Mill\n\n## Stones\n\n${words(1)}\n\n### Granite\n\n${words(5)}\n\n## Belts\n\n${words(35)}\n\n`;
  expect(chunksOf(simple(text)).map(({ heading, text: own }) => [heading, own.split('\n')[0]])).toEqual([
    [['Mill', 'Stones'], '# Mill'],
    [['Mill', 'Belts'], '## Belts'],
  ]);
});

test('W4 a long table is divided between rows, and its later parts are embedded under its header', () => {
  const rows = Array.from({ length: 12 }, (_, n) => `| row ${n} | ${words(8)} |\n`);
  const text = `| name | what it is |\n${rows.join('')}\n`;
  const chunks = chunksOf(simple(text));
  expect(chunks.length).toBeGreaterThan(2);
  for (const { text: own } of chunks) expect(own).toMatch(/^\|.*\|$/s);
  expect(chunks[0]?.embedded).toBe(chunks[0]?.text);
  expect(chunks[1]?.embedded).toBe(`| name | what it is |\n\n${chunks[1]?.text ?? ''}`);
});

test('W4 prose is divided between sentences, not after an abbreviation', () => {
  const sentence = `The mill of e.g. wheat turns ${words(10)}.`;
  const text = Array.from({ length: 9 }, () => sentence).join(' ');
  for (const { text: own } of chunksOf(document(text, [{ kind: 'paragraph', start: 0, end: text.length }])))
    expect(own).toMatch(/^(?:The mill of e\.g\. wheat turns [mil ]+\.(?: |$))+$/);
});

test('W4 code is divided at its empty lines or between lines, and keeps its indent', () => {
  const body = Array.from({ length: 20 }, (_, n) => `    value${n} = mill(${n})\n`).join('');
  const text = `def grind():\n${body}`;
  const context = { start: 0, end: 13 };
  const [first, second] = chunksOf(document(text, [{ kind: 'code', start: 0, end: text.length, context }]));
  expect(first?.text.startsWith('def grind():\n    value0')).toBe(true);
  expect(second?.text).toMatch(/^ {4}value\d+ = /);
  expect(second?.embedded.startsWith('def grind():\n\n    value')).toBe(true);
});

test('W4 the rest of a divided paragraph is no chunk of its own where the one before has room', () => {
  const text = `${words(38)}. ${words(3)}.`;
  expect(chunksOf(document(text, [{ kind: 'paragraph', start: 0, end: text.length }]))).toHaveLength(1);
});

test.each<[string, Places, Chunk['place'][]]>([
  [
    'lines',
    { unit: 'line' },
    [
      { line: 1, end_line: 1 },
      { line: 3, end_line: 4 },
    ],
  ],
  [
    'pages',
    { unit: 'page', starts: [0, 180] },
    [
      { page: 1, end_page: 1 },
      { page: 1, end_page: 2 },
    ],
  ],
  [
    'cells',
    { unit: 'cell', starts: [0, 100] },
    [
      { cell: 1, end_cell: 1 },
      { cell: 2, end_cell: 2 },
    ],
  ],
  ['nothing', null, [{}, {}]],
])('W4 a chunk is found by its %s', (_, places, expected) => {
  const text = `${words(20)}\n\n${words(20)}\r\n${words(17)}`;
  const parsed = document(
    text,
    [
      { kind: 'paragraph', start: 0, end: 99 },
      { kind: 'paragraph', start: 101, end: text.length },
    ],
    { places },
  );
  expect(chunksOf(parsed).map(({ place }) => place)).toEqual(expected);
});

test('W4 a document of too many chunks is quarantined, before they are all made', () => {
  const text = `${words(35)}\n\n`.repeat(20);
  expect(chunkDocument(simple(text), { ...limits, maxChunks: 20 })).toHaveLength(20);
  expect(chunkDocument(simple(text), { ...limits, maxChunks: 19 })).toEqual({
    reason: 'too_many_chunks',
    detail: 'it makes more than 19 chunks',
    mediaType: 'text/plain',
  });
  const endless = document('mill '.repeat(500_000), []);
  expect(chunkDocument(endless, { ...defaultChunkLimits, maxChunks: 500 })).toMatchObject({
    reason: 'too_many_chunks',
  });
});

test('W4 a heading of a whole page is text as well', () => {
  const text = `# ${words(300)}\n\n${words(10)}\n\n`;
  expect(chunksOf(simple(text)).length).toBeGreaterThan(6);
});
