import type { Block, DocumentContent } from '../../domain/document.ts';
import { lineStarts } from '../../domain/lines.ts';
import { ParseFailure } from './parse-failure.ts';

const deepest = 500;
const deepestCut = 6;
const groupLength = 400;

/** A block a member of the outermost array or object, small ones together. The text is the source. */
export function parseJson(text: string): DocumentContent {
  const members = membersOf(text, 0, text.length);
  checkJson(text);
  return { title: null, text, blocks: together(members), places: { unit: 'line' } };
}

/** A block a line, short ones together; every line must be JSON. */
export function parseJsonLines(text: string): DocumentContent {
  const starts = lineStarts(text);
  const lines = starts.flatMap((start, index): Block[] => {
    const end = starts[index + 1] ?? text.length;
    const line = text.slice(start, end);
    if (line.trim() === '') return [];
    const inner = membersOf(text, start, end);
    checkJson(line, index + 1);
    return [{ kind: 'data', start, end, cuts: inner.map((member) => member.start) }];
  });
  return { title: null, text, blocks: together(lines), places: { unit: 'line' } };
}

function checkJson(text: string, line?: number): void {
  try {
    JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const where = line === undefined ? '' : ` in line ${line}`;
    throw new ParseFailure('malformed', `it is not JSON${where}`);
  }
}

/** What begins at depth 1, and where to divide it: at what begins deeper inside. Only brackets and commas are looked at. */
function membersOf(text: string, start: number, end: number): Block[] {
  const members: Block[] = [];
  let cuts: number[] = [];
  let depth = 0;
  let from = start;
  for (let position = start; position < end; position += 1) {
    const character = text.charAt(position);
    if (character === '"') position = endOfString(text, position, end);
    else if (character === '[' || character === '{') {
      depth += 1;
      if (depth > deepest) throw new ParseFailure('nested_too_deep', `it is nested more than ${deepest} deep`);
      if (depth > 1 && depth <= deepestCut) cuts.push(position + 1);
    } else if (character === ']' || character === '}') depth -= 1;
    else if (character === ',' && depth === 1) {
      members.push(memberOf(from, position + 1, cuts));
      cuts = [];
      from = position + 1;
    } else if (character === ',' && depth <= deepestCut) cuts.push(position + 1);
  }
  return from < end ? [...members, memberOf(from, end, cuts)] : members;
}

/** Its later parts keep what it is called: all in front of its own first member. */
function memberOf(start: number, end: number, cuts: readonly number[]): Block {
  const [first] = cuts;
  return { kind: 'data', start, end, cuts, ...(first === undefined ? {} : { context: { start, end: first } }) };
}

function endOfString(text: string, start: number, end: number): number {
  let position = start + 1;
  while (position < end && text.charAt(position) !== '"') position += text.charAt(position) === '\\' ? 2 : 1;
  return position;
}

function together(blocks: readonly Block[]): Block[] {
  const result: Block[] = [];
  for (const block of blocks) {
    const last = result.at(-1);
    if (last === undefined || block.end - last.start > groupLength) result.push(block);
    else result[result.length - 1] = { kind: 'data', start: last.start, end: block.end };
  }
  return result;
}
