import fc from 'fast-check';
import type { Nodes } from 'mdast';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { abridged } from '../../../adapters/parsers/markdown-lines.ts';
import { blockTree, parseMarkdown } from '../../../adapters/parsers/markdown.ts';
import { packageRoot } from '../../../infra/package-root.ts';

/** Kinds and lines of all blocks, at every depth. `lines`: of the source, where these are not all of them. */
function outline(node: Nodes, lines?: readonly number[]): unknown {
  const lineOf = (line = 0) => (lines === undefined ? line : (lines[line - 1] ?? NaN) + 1);
  const { start, end } = node.position ?? {};
  const inline = ['text', 'break', 'inlineCode', 'emphasis', 'strong', 'delete', 'link', 'image', 'html'];
  const isShown = ({ type }: Nodes) => node.type === 'root' || !inline.includes(type);
  const inner = 'children' in node ? node.children.filter(isShown) : [];
  return [node.type, lineOf(start?.line), lineOf(end?.line), ...inner.map((child) => outline(child, lines))];
}

function shortOutline(text: string): unknown {
  const short = abridged(text);
  return outline(blockTree(short.text), short.lines);
}

const line = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '    ',
    '\t',
    '> ',
    '- ',
    '* ',
    '1. ',
    '10) ',
    '  - ',
    '```',
    '~~~',
    '---',
    '===',
    '***',
    '# ',
    '###### x #',
  ),
  fc.constantFrom(
    'a long line of prose that goes on',
    'prose, then <b>markup</b> and more',
    'a | b',
    '| --- | :-: |',
    '|-',
    'a table | of two',
  ),
  fc.constantFrom(
    '<div>',
    '<!-- open',
    'closed -->',
    '</div>',
    '[ref]: /url "title',
    'goes on"',
    '[x](y) and words',
    '**bold** and some words',
  ),
  fc.constantFrom(
    'ünïcode words that are long',
    '麦子 and other long words',
    '`code` then words',
    '\\# no heading here',
    '&amp; words words',
    '+ item with words',
  ),
  fc.string({ maxLength: 12 }).map((text) => text.replace(/\0/g, '')),
);
const source = fc
  .array(
    fc.tuple(
      fc.constantFrom('', '', '', '> ', '  ', '    ', '- ', '1. '),
      line,
      fc.constantFrom('\n', '\n', '\r\n', '\r'),
    ),
    { maxLength: 25 },
  )
  .map((lines) => lines.map((parts) => parts.join('')).join(''));

test('W4 lines that are cut short make the same blocks as the whole ones', () => {
  fc.assert(
    fc.property(source, (text) => {
      expect(shortOutline(text)).toEqual(outline(blockTree(text)));
    }),
    { numRuns: 600 },
  );
});

test('W4 the documents of this project have the same blocks when their lines are cut short', () => {
  const docs = readdirSync(join(packageRoot, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );
  expect(docs.length).toBeGreaterThan(5);
  for (const name of docs) {
    const text = readFileSync(join(packageRoot, 'docs', name), 'utf8');
    expect([name, shortOutline(text)]).toEqual([name, outline(blockTree(text))]);
  }
});

test('W4 blocks of Markdown are whole lines, ascending, and what is between them is blank', () => {
  fc.assert(
    fc.property(source, (text) => {
      let covered = 0;
      for (const { start, end } of parseMarkdown(text).blocks) {
        expect(start).toBeGreaterThanOrEqual(covered);
        expect(end).toBeGreaterThan(start);
        expect(text.slice(covered, start).trim()).toBe('');
        expect(start === 0 || /[\r\n]/.test(text.charAt(start - 1))).toBe(true);
        covered = end;
      }
      expect(text.slice(covered).trim()).toBe('');
    }),
    { numRuns: 400 },
  );
});

test.each([
  ['# Plain words #', 'Plain words'],
  ['## C# and F#', 'C# and F#'],
  ['# **Bold** `code` [link](/a "b") ![image](c)', 'Bold code link image'],
  ['# a &amp; b \\* c', 'a & b * c'],
  ['Two\nlines\n=====', 'Two lines'],
  ['####### no heading', undefined],
])('W4 the heading %j says %j', (text, heading) => {
  expect(parseMarkdown(text).blocks[0]?.heading).toBe(heading);
});

test.each([
  ['---\ntitle: A farm\n---\n# Mill\n', 'A farm'],
  ["---\ntitle: 'A farm'\n---\n", 'A farm'],
  ['+++\ntitle = "A farm"\n+++\n', 'A farm'],
  ['Words.\n\n# Mill\n', 'Mill'],
  ['## Mill\n', null],
  ['No headings.\n', null],
])('W4 the title of %j is %j', (text, title) => {
  expect(parseMarkdown(text).title).toBe(title);
});
