import type { Nodes, Root, RootContent } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { frontmatterFromMarkdown } from 'mdast-util-frontmatter';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { frontmatter } from 'micromark-extension-frontmatter';
import { gfm } from 'micromark-extension-gfm';
import type { Block, DocumentContent } from '../../domain/document.ts';
import { lineStarts } from '../../domain/lines.ts';
import { abridged } from './markdown-lines.ts';

// What stands inside a line is not looked at: only blocks are wanted, with tables as GitHub has them.
const { flow = {} } = gfm();
const inline = ['attention', 'autolink', 'characterEscape', 'characterReference', 'codeText', 'hardBreakEscape'];
const disable = { null: [...inline, 'htmlText', 'labelEnd', 'labelStartImage', 'labelStartLink'] };
const tables = gfmFromMarkdown().filter(({ enter }) => enter != null && 'table' in enter);
const blocksOnly = {
  extensions: [{ flow }, frontmatter(['yaml', 'toml']), { disable }],
  mdastExtensions: [...tables, frontmatterFromMarkdown(['yaml', 'toml'])],
};
const longestHeading = 500;

/** The text is the source itself, and every block is made of whole lines. Any text is Markdown. */
export function parseMarkdown(text: string): DocumentContent {
  const blocks = blocksOf(text);
  const first = blocks.find(({ kind }) => kind === 'heading');
  const title = statedTitle(text, blocks[0]) ?? (first?.level === 1 ? first.heading : undefined);
  return { title: title ?? null, text, blocks, places: { unit: 'line' } };
}

/** Lines are counted as in `text`. Exported for the test that abridged lines make the same blocks. */
export function blockTree(text: string): Root {
  return fromMarkdown(text, blocksOnly);
}

function blocksOf(text: string): Block[] {
  const short = abridged(text);
  const tree = blockTree(short.text);
  const starts = lineStarts(text);
  const startOf = (line: number) => starts[short.lines[line - 1] ?? starts.length] ?? text.length;
  return tree.children.map((node, index) => {
    const start = startOf(node.position?.start.line ?? 1);
    const next = startOf(tree.children[index + 1]?.position?.start.line ?? Infinity);
    // The parser lets a quote of an open fence end a line late.
    const end = Math.min(startOf((node.position?.end.line ?? 1) + 1), next);
    return { start, end, ...shapeOf(text.slice(start, end), node, startOf) };
  });
}

type Shape = Pick<Block, 'kind' | 'level' | 'heading' | 'cuts' | 'context'>;

function shapeOf(source: string, node: RootContent, startOf: (line: number) => number): Shape {
  const firstLines = (nodes: readonly Nodes[]) => nodes.map((one) => startOf(one.position?.start.line ?? 1));
  if (node.type === 'heading') return { kind: 'heading', level: node.depth, heading: headingText(source) };
  if (node.type === 'list') return { kind: 'list', cuts: firstLines(itemsOf(node)) };
  if (node.type === 'blockquote') return { kind: 'quote', cuts: firstLines(node.children) };
  if (node.type === 'code') return { kind: 'code' };
  if (['yaml', 'toml'].includes(node.type)) return { kind: 'frontmatter' };
  if (node.type !== 'table') return { kind: 'paragraph' };
  // The header, and the line under it.
  const [start = 0] = firstLines([node]);
  const rows = firstLines(node.children.slice(1));
  return { kind: 'table', cuts: rows, context: { start, end: rows[0] ?? start + source.length } };
}

function itemsOf(list: Nodes): Nodes[] {
  const items: Nodes[] = [];
  const open = [list];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.type === 'listItem') items.push(node);
    if ('children' in node) for (const child of [...node.children].reverse()) open.push(child);
  }
  return items;
}

/** What a heading says, without its markup. */
function headingText(source: string): string {
  const short = source.slice(0, longestHeading);
  if (!/[\\`*_[<&]|^\s*[-=]+\s*$/m.test(short)) return short.replace(/^\s*#+|\s#+\s*$/g, '').trim();
  return plainText(fromMarkdown(short)).replace(/\s+/g, ' ').trim();
}

function plainText(node: Nodes): string {
  if ('value' in node) return node.value;
  if ('alt' in node) return node.alt ?? '';
  return 'children' in node ? node.children.map((child) => plainText(child)).join('') : '';
}

function statedTitle(text: string, block: Block | undefined): string | undefined {
  if (block?.kind !== 'frontmatter') return undefined;
  const stated = /^title[ \t]*[:=][ \t]*(\S.*)$/m.exec(text.slice(block.start, block.end))?.[1]?.trim();
  return stated === undefined ? undefined : stated.replace(/^(["'])(.*)\1$/, '$2').slice(0, longestHeading);
}
