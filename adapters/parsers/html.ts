import { defaultTreeAdapter, parse, type DefaultTreeAdapterTypes } from 'parse5';
import type { DocumentContent } from '../../domain/document.ts';
import { createHtmlText } from './html-text.ts';
import { decodeNamed, decodeText } from './decode.ts';
import { ParseFailure } from './parse-failure.ts';

type Node = DefaultTreeAdapterTypes.Node;
type Element = DefaultTreeAdapterTypes.Element;

// Browsers stop at 512.
const deepest = 1_000;
const leftOut = new Set(
  'audio button canvas dialog embed footer frameset head iframe input math menu nav noscript object script select style svg template textarea video'.split(
    ' ',
  ),
);

/** By its byte order mark or the encoding that its head names, else strict UTF-8. */
export function decodeHtml(bytes: Uint8Array): string {
  const head = String.fromCharCode(...bytes.subarray(0, 1_024));
  const named = /<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]+)/i.exec(head)?.[1];
  const isUnicode = named === undefined || /^utf-?(?:8|16)/i.test(named);
  return (isUnicode ? null : decodeNamed(named, bytes)) ?? decodeText(bytes);
}

/**
 * What a reader of the page sees, without its navigation: of the `main` element where there is one. Links, images and forms
 * leave only their text. Throws ParseFailure `nested_too_deep`.
 */
export function parseHtml(source: string): DocumentContent {
  const document = parseTree(source);
  const title = find(document, 'title');
  const main = find(document, 'main');
  const text = createHtmlText();
  walk(main ?? document, text);
  const content = text.end();
  return { ...content, title: (title === null ? '' : textOf(title).trim()) || firstHeading(content), places: null };
}

function parseTree(source: string): DefaultTreeAdapterTypes.Document {
  let depth = 0;
  const onItemPush = () => {
    depth += 1;
    if (depth > deepest) throw new ParseFailure('nested_too_deep', `its elements are nested more than ${deepest} deep`);
  };
  return parse(source, { treeAdapter: { ...defaultTreeAdapter, onItemPush, onItemPop: () => (depth -= 1) } });
}

/** In the order of the text, without recursion. */
function walk(root: Node, text: ReturnType<typeof createHtmlText>): void {
  const open: { readonly node: Node; readonly isEnd: boolean }[] = [{ node: root, isEnd: false }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, isEnd } = next;
    if (isEnd) text.close((node as Element).tagName);
    else if (defaultTreeAdapter.isTextNode(node)) text.add(node.value);
    else if (!isLeftOut(node)) {
      if (defaultTreeAdapter.isElementNode(node)) {
        text.open(node.tagName);
        open.push({ node, isEnd: true });
      }
      for (const child of childrenOf(node).reverse()) open.push({ node: child, isEnd: false });
    }
  }
}

function isLeftOut(node: Node): boolean {
  if (!defaultTreeAdapter.isElementNode(node)) return false;
  if (leftOut.has(node.tagName)) return true;
  return node.attrs.some(({ name, value }) => name === 'hidden' || (name === 'aria-hidden' && value === 'true'));
}

function childrenOf(node: Node): Node[] {
  return 'childNodes' in node ? [...node.childNodes] : [];
}

function find(root: Node, tagName: string): Element | null {
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (defaultTreeAdapter.isElementNode(node) && node.tagName === tagName) return node;
    if ('tagName' in node && node.tagName === 'svg') continue;
    for (const child of childrenOf(node).reverse()) open.push(child);
  }
  return null;
}

function textOf(element: Element): string {
  return childrenOf(element)
    .map((child) => (defaultTreeAdapter.isTextNode(child) ? child.value : ''))
    .join('')
    .replace(/\s+/g, ' ');
}

function firstHeading({ blocks }: Pick<DocumentContent, 'blocks'>): string | null {
  const first = blocks.find(({ kind }) => kind === 'heading');
  return first?.level === 1 ? (first.heading ?? null) : null;
}
