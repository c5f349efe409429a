import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../infra/package-root.ts';
import { makeDocx, paragraph, table } from './make-docx.ts';
import { makePdf } from './make-pdf.ts';
import { makePool, shown } from './parser-tests.ts';

let parsers: ReturnType<typeof makePool>;
beforeAll(() => {
  parsers = makePool();
});
afterAll(() => parsers.close());

const sample = (name: string) => readFileSync(join(packageRoot, 'tests/data/documents', name), 'utf8');

test('W4 Markdown: headings, lists, tables and fences as blocks of the source itself', async () => {
  const source = sample('guide.md');
  const guide = await parsers.parsed('docs/guide.md', source);
  expect(guide).toMatchObject({
    mediaType: 'text/markdown',
    format: 'markdown',
    title: 'Running the mill',
    text: source,
  });
  const kinds = guide.blocks.map(({ kind, level, heading }) => `${kind}${level ?? ''} ${heading ?? ''}`.trim());
  expect(kinds).toEqual([
    'frontmatter',
    'heading1 Running the mill',
    'paragraph',
    'heading2 Before you start',
    'list',
    'heading2 Speeds',
    'table',
    'code',
    'heading2 When it stops',
    'quote',
    'heading2 Setext heading',
    'paragraph',
    'heading3 Deep link heading',
    'paragraph',
  ]);
  const [list, grid] = ['list', 'table'].map((kind) => guide.blocks.find((block) => block.kind === kind));
  expect(list?.cuts?.map((cut) => source.slice(cut, cut + 16))).toEqual([
    '- Check the `hop',
    '- Check the belt',
    '  - A worn belt ',
    '  - A cracked be',
    '- Open the outle',
  ]);
  expect(source.slice(grid?.context?.start, grid?.context?.end)).toMatch(/^\| grain[^\n]*\n\| -----[^\n]*\n$/);
  expect(grid?.cuts).toHaveLength(2);
});

test('W4 HTML: what a reader sees of the main part, nothing hidden, no scripts, no navigation', async () => {
  const page = await parsers.parsed('https://example.org/bees', sample('page.html'));
  expect(page).toMatchObject({ mediaType: 'text/html', title: 'Keeping bees & hives', places: null });
  expect(shown(page)).toEqual([
    'heading1: Keeping bees',
    'paragraph: Bees need water, flowers and shelter.',
    'heading2: The year of a hive',
    'list: Spring: the queen lays.',
    'list: Autumn: feed them.',
    'code: weight = honey\n    + bees',
    'table: month | honey\nMay | 4 kg\nJune | 9 kg',
  ]);
  expect(page.blocks.at(-1)?.cuts).toHaveLength(2);
});

test('W4 HTML in the encoding that its head names', async () => {
  const latin = Buffer.from('<meta charset="windows-1252"><p>Grünkohl \u0080</p>', 'latin1');
  expect(shown(await parsers.parsed('kale.html', latin))).toEqual(['paragraph: Grünkohl €']);
});

test('W4 PDF: pages, paragraphs, headings by their size, words put together again', async () => {
  const pdf = makePdf(
    [
      [
        { size: 24, y: 760, text: 'The mill' },
        { size: 16, y: 700, text: 'How it works' },
        { size: 10, y: 670, text: 'Stones turn and grain becomes flour, which is col-' },
        { size: 10, y: 658, text: 'lected in a bag (of 40 kg) below the stones.' },
        { size: 10, y: 620, text: 'A second paragraph, as the gap says.' },
      ],
      [{ size: 10, y: 760, text: 'On the next page there is more.' }],
    ],
    { title: 'A manual' },
  );
  const manual = await parsers.parsed('manual.pdf', pdf);
  expect(manual).toMatchObject({ mediaType: 'application/pdf', format: 'pdf', title: 'A manual' });
  expect(shown(manual)).toEqual([
    'heading1: The mill',
    'heading2: How it works',
    'paragraph: Stones turn and grain becomes flour, which is collected in a bag (of 40 kg) below the stones.',
    'paragraph: A second paragraph, as the gap says.',
    'paragraph: On the next page there is more.',
  ]);
  expect(manual.places).toEqual({ unit: 'page', starts: [0, manual.text.indexOf('On the next page')] });
});

test('W4 DOCX: headings, lists, tables; pictures are not opened', async () => {
  const body =
    paragraph('The mill', 'Title') +
    paragraph('Grinding', 'Heading1') +
    paragraph('Grain becomes flour.') +
    table([
      ['grain', 'flour'],
      ['rye', '30'],
    ]);
  const report = await parsers.parsed('report.docx', makeDocx(body, { 'word/media/a.png': Buffer.alloc(1_000_000) }));
  expect(report).toMatchObject({ format: 'docx', places: null });
  expect(shown(report)).toEqual([
    'paragraph: The mill',
    'heading1: Grinding',
    'paragraph: Grain becomes flour.',
    'table: grain | flour\nrye | 30',
  ]);
});

test('W4 CSV: records, also with line breaks in them, and the header that each part is understood by', async () => {
  const source = sample('harvest.csv');
  const harvest = await parsers.parsed('harvest.csv', source);
  const [block] = harvest.blocks;
  expect(harvest.text).toBe(source);
  expect(block).toMatchObject({ kind: 'table', start: 0, end: source.length });
  expect(block?.cuts?.map((cut) => source.slice(cut).split(',')[0])).toEqual(['north', 'south', 'west', '']);
  expect(source.slice(block?.context?.start, block?.context?.end)).toBe('field,crop,"note, if any",tonnes\n');

  const semicolons = await parsers.parsed('a.csv', 'a;b,c\n1;2\n');
  expect(semicolons.blocks[0]?.cuts).toEqual([6, 10]);
  const tabs = await parsers.parsed('a.tsv', '1\t2\n3\t4\n');
  expect(tabs.blocks[0]).not.toHaveProperty('context');
});

test('W4 JSON and JSON Lines: members as blocks of the source', async () => {
  const source = sample('service.json');
  const service = await parsers.parsed('service.json', source);
  expect(service.text).toBe(source);
  expect(service.blocks.every(({ kind }) => kind === 'data')).toBe(true);

  const lines = await parsers.parsed('events.jsonl', `{"a":1}\n\n{"b":"${'x'.repeat(500)}"}\n`);
  expect(lines.blocks.map(({ start }) => start)).toEqual([0, 9]);
});

test('W4 JSON that programs read with comments is source code', async () => {
  const config = await parsers.parsed('web/tsconfig.json', '{ "strict": true, // always\n}\n');
  expect(config).toMatchObject({ mediaType: 'text/x-source-jsonc', format: 'code' });
});

test('W4 notebooks: cells, their text outputs, nothing that a database refuses', async () => {
  const study = await parsers.parsed('study.ipynb', sample('study.ipynb'));
  expect(study).toMatchObject({ format: 'notebook', title: 'Yields' });
  expect(shown(study)).toEqual([
    'heading1: # Yields',
    'paragraph: How much flour a grain makes.',
    'code: sum([1, 2])',
    'data: 3',
    'data: done \ufffd\ufffd',
  ]);
  expect(study.places).toEqual({ unit: 'cell', starts: [0, study.text.indexOf('sum(')] });
});

test('W4 source code: declarations with what stands above them', async () => {
  const grinder = await parsers.parsed('mill/grinder.py', sample('grinder.py'));
  expect(grinder).toMatchObject({ mediaType: 'text/x-source-python', format: 'code', title: null });
  expect(shown(grinder).map((block) => block.split('\n')[0])).toEqual([
    'code: """Grinds grain."""',
    'code: import sys',
    'code: def grind(grain, turns=90):',
    'code: class Mill:',
  ]);
  const grind = grinder.blocks[2];
  expect(grinder.text.slice(grind?.context?.start, grind?.context?.end)).toBe('def grind(grain, turns=90):\n');
});

test('W4 plain text: paragraphs; reStructuredText: headings too', async () => {
  const notes = await parsers.parsed('notes', sample('notes.txt'));
  expect(notes).toMatchObject({ mediaType: 'text/plain', text: sample('notes.txt') });
  const manual = await parsers.parsed('manual.rst', sample('manual.rst'));
  expect(manual.title).toBe('Manual');
  expect(manual.blocks.map(({ kind, level, heading }) => `${kind}${level ?? ''} ${heading ?? ''}`.trim())).toEqual([
    'heading1 Manual',
    'paragraph',
    'heading2 Install',
    'paragraph',
    'heading3 Details',
    'paragraph',
  ]);
});

test('W4 UTF-16 with a byte order mark is text, and the mark of UTF-8 is not', async () => {
  const little = Buffer.from('\ufeffGrün 🌾', 'utf16le');
  expect((await parsers.parsed('a.txt', little)).text).toBe('Grün 🌾');
  expect((await parsers.parsed('b.txt', Buffer.from(little).swap16())).text).toBe('Grün 🌾');
  expect((await parsers.parsed('c.txt', '\ufeffGrün')).text).toBe('Grün');
});
