import type { Block, ParsedDocument, Range } from '../document.ts';
import { beginning, divideBlock, isBlank, type Part } from './divide.ts';
import { prefixOf, under, type Heading } from './heading-path.ts';
import { estimateTokens } from './tokens.ts';

export interface ChunkLimits {
  /** A chunk is filled up to this; estimated tokens of its own text. */
  readonly targetTokens: number;
  /** Of what is embedded: headings, context and text. */
  readonly maxTokens: number;
  /** Of the headings above a chunk, and as many again of its context. */
  readonly headingTokens: number;
  /** Of one document. */
  readonly maxChunks: number;
}

/** Blocks on their way to a chunk. */
export interface Packed {
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  /** In force where its first text begins that is no heading. */
  readonly path: readonly Heading[];
  readonly prefix: { readonly text: string; readonly tokens: number };
  readonly context: { readonly text: string; readonly tokens: number };
  /** It has more than headings. */
  readonly hasBody: boolean;
  /** It goes on in the middle of a section. */
  readonly continues: boolean;
}

const noContext = { text: '', tokens: 0 };

/** The covered blocks of a document, packed into chunks; stops after one more than `maxChunks`. */
export function pack(document: ParsedDocument, blocks: readonly Block[], limits: ChunkLimits): Packed[] {
  const { text, title } = document;
  const smallTokens = Math.floor(limits.targetTokens / 4);
  const done: Packed[] = [];
  let path: readonly Heading[] = [];
  let open: Packed | null = null;

  const most = ({ prefix, context }: Packed) => limits.maxTokens - prefix.tokens - context.tokens;
  const target = (packed: Packed) => Math.min(limits.targetTokens, most(packed));

  function close(): void {
    if (open === null) return;
    const last = done.at(-1);
    // A last sentence of its own is found by nobody.
    const isRest = open.continues && open.tokens < smallTokens / 2;
    if (isRest && last !== undefined && last.tokens + open.tokens <= most(last))
      done[done.length - 1] = extended(last, open);
    else done.push(open);
    open = null;
  }

  function begin(start: number, continues: boolean, context = noContext): Packed {
    const prefix = prefixOf(title, path, start, limits.headingTokens);
    return { start, end: start, tokens: 0, path, prefix, context, hasBody: false, continues };
  }

  function add(part: Part, isBody: boolean): void {
    if (part.tokens === 0 && isBlank(text, part)) return;
    open ??= begin(part.start, false);
    const packed = extended(open, part);
    open = open.hasBody
      ? packed
      : { ...packed, path, prefix: prefixOf(title, path, open.start, limits.headingTokens), hasBody: isBody };
  }

  function addHeading(block: Block): void {
    const level = block.level ?? 1;
    const isInner = level > (open?.path.at(-1)?.level ?? 0);
    if (open?.hasBody === true && !(isInner && open.tokens < smallTokens)) close();
    path = under(path, { level, text: block.heading ?? '', start: block.start });
    const part = { start: block.start, end: block.end, tokens: estimateTokens(text, block.start, block.end) };
    if (part.tokens > smallTokens) {
      addBody(block);
      return;
    }
    if (open !== null && open.tokens + part.tokens > limits.targetTokens / 2) close();
    add(part, false);
  }

  function addBody(block: Block): void {
    const whole = { start: block.start, end: block.end, tokens: estimateTokens(text, block.start, block.end) };
    const fits = open?.hasBody === true && open.tokens + whole.tokens <= target(open);
    const alone = open?.hasBody === false ? open : begin(block.start, false);
    if (fits) add(whole, true);
    else if (alone.tokens + whole.tokens <= most(alone)) {
      if (alone !== open) startAnew(block.start);
      add(whole, true);
    } else addDivided(block);
  }

  function startAnew(start: number, context = noContext): void {
    const continues = open?.hasBody === true;
    close();
    open = begin(start, continues, context);
  }

  /** From where the open chunk ends, so that a table stays with the sentence that announces it. */
  function addDivided(block: Block): void {
    const context = contextOf(text, block.context, limits.headingTokens);
    const headings = open?.hasBody === false ? open.tokens : 0;
    const parts = divideBlock(
      text,
      block,
      limits.maxTokens - limits.headingTokens - Math.max(context.tokens, headings),
    );
    for (const part of parts) {
      if (open?.hasBody === true && open.tokens + part.tokens > target(open))
        startAnew(part.start, block.context !== undefined && block.context.end <= part.start ? context : noContext);
      add(part, true);
      if (done.length > limits.maxChunks) return;
    }
  }

  for (const block of blocks) {
    if (block.kind === 'heading') addHeading(block);
    else addBody(block);
    if (done.length > limits.maxChunks) return done;
  }
  close();
  return done;
}

function extended(packed: Packed, part: Part): Packed {
  return { ...packed, end: part.end, tokens: packed.tokens + part.tokens };
}

function contextOf(text: string, range: Range | undefined, most: number): Packed['context'] {
  if (range === undefined) return noContext;
  const context = beginning(text.slice(range.start, range.end).trimEnd(), most);
  return { text: context, tokens: estimateTokens(context) };
}
