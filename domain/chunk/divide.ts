import type { Block, BlockKind, Range } from '../document.ts';
import { lineStarts } from '../lines.ts';
import { estimateTokens } from './tokens.ts';

/** A part of a text and how many tokens it is estimated at. */
export interface Part extends Range {
  readonly tokens: number;
}

/** Where a part may be divided: offsets, ascending, of what begins a new one. */
type Divider = (text: string, part: Range) => readonly number[];

/**
 * A block in parts of at most `most` tokens, nothing left out: as one where it fits, else at its own cuts, what is too long
 * of those at lines or sentences, then at words, then inside a word, but never inside a surrogate pair.
 */
export function* divideBlock(text: string, block: Block, most: number): Generator<Part> {
  const whole = partOf(text, block);
  if (whole.tokens <= most) {
    yield whole;
    return;
  }
  const finer = proseKinds.has(block.kind) ? [sentences, words] : [lines, words];
  yield* divide(text, whole, most, block.cuts === undefined ? finer : [() => block.cuts ?? [], ...finer]);
}

/** The beginning of a text, of at most so many tokens. */
export function beginning(text: string, most: number): string {
  const whole = partOf(text, { start: 0, end: text.length });
  if (whole.tokens <= most) return text;
  const [first] = joined(divide(text, whole, most, [words]), most);
  return text.slice(0, first?.end).trimEnd();
}

const proseKinds: ReadonlySet<BlockKind> = new Set(['paragraph', 'list', 'quote', 'heading']);

function* divide(text: string, part: Part, most: number, [divider, ...finer]: readonly Divider[]): Generator<Part> {
  if (divider === undefined) {
    yield* hardParts(text, part, most);
    return;
  }
  for (const one of between(text, part, divider(text, part))) {
    // As few as fit, so that the words of what is too long do not stay single.
    if (one.tokens <= most) yield one;
    else yield* joined(divide(text, one, most, finer), most);
  }
}

function* between(text: string, { start, end }: Range, cuts: readonly number[]): Generator<Part> {
  let from = start;
  for (const cut of [...cuts, end]) {
    if (cut <= from || cut > end) continue;
    yield partOf(text, { start: from, end: cut });
    from = cut;
  }
}

function partOf(text: string, { start, end }: Range): Part {
  return { start, end, tokens: estimateTokens(text, start, end) };
}

function* joined(parts: Iterable<Part>, most: number): Generator<Part> {
  let open: Part | null = null;
  for (const part of parts) {
    if (open !== null && open.tokens + part.tokens <= most)
      open = { start: open.start, end: part.end, tokens: open.tokens + part.tokens };
    else {
      if (open !== null) yield open;
      open = part;
    }
  }
  if (open !== null) yield open;
}

function lines(text: string, { start, end }: Range): readonly number[] {
  return lineStarts(text, start, end).slice(1);
}

function words(text: string, { start, end }: Range): readonly number[] {
  const cuts: number[] = [];
  for (let position = start + 1; position < end; position += 1)
    if (!isWhite(text, position) && isWhite(text, position - 1)) cuts.push(position);
  return cuts;
}

const ends = '.!?…';
const closers = '"\')]»”’*_';
const wideEnds = '。！？';

/** After what ends one and white space, where no small letter goes on; after an empty line; after a full stop of Chinese. */
function sentences(text: string, { start, end }: Range): readonly number[] {
  const cuts: number[] = [];
  let ended = false;
  for (let position = start; position < end; position += 1) {
    const character = text.charAt(position);
    if (wideEnds.includes(character)) {
      cuts.push(position + 1);
      ended = false;
    } else if (isWhite(text, position)) {
      const next = afterWhite(text, position, end);
      const paragraph = next - position > 1 && lineStarts(text, position, next).length > 2;
      if (next < end && (paragraph || (ended && !isSmall(text.charAt(next))))) cuts.push(next);
      position = next - 1;
      ended = false;
    } else ended = ends.includes(character) || (ended && closers.includes(character));
  }
  return cuts;
}

function afterWhite(text: string, from: number, end: number): number {
  let position = from;
  while (position < end && isWhite(text, position)) position += 1;
  return position;
}

function isSmall(character: string): boolean {
  return character !== character.toUpperCase();
}

/** What JavaScript trims. */
export function isWhite(text: string, position: number): boolean {
  const code = text.charCodeAt(position);
  if (code < 128) return code === 32 || (code >= 9 && code <= 13);
  return text.charAt(position).trim() === '';
}

export function isBlank(text: string, { start, end }: Range): boolean {
  for (let position = start; position < end; position += 1) if (!isWhite(text, position)) return false;
  return true;
}

/** Parts of a word. A character is never more than a few tokens. */
function* hardParts(text: string, { start, end }: Range, most: number): Generator<Part> {
  for (let from = start; from < end;) {
    let to = Math.min(end, from + most);
    let tokens = estimateTokens(text, from, to);
    while (tokens > most && to - from > 1) {
      to = from + Math.max(1, Math.floor(((to - from) * most) / tokens));
      tokens = estimateTokens(text, from, to);
    }
    if (isPairAt(text, to) && to < end) {
      to += to - from > 1 ? -1 : 1;
      tokens = estimateTokens(text, from, to);
    }
    yield { start: from, end: to, tokens };
    from = to;
  }
}

function isPairAt(text: string, position: number): boolean {
  const before = text.charCodeAt(position - 1);
  const after = text.charCodeAt(position);
  return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000;
}
