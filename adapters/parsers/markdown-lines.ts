import { lineStarts } from '../../domain/lines.ts';
import { ParseFailure } from './parse-failure.ts';

const keptLetters = 8;
const deepest = 100;
const markers = ' \t>*+-#.)0123456789';

export interface Abridged {
  readonly text: string;
  /** Of each line of `text`, which one it is in the source; both counted from 0. */
  readonly lines: readonly number[];
}

interface Line {
  readonly text: string;
  readonly isEmpty: boolean;
  /** Prose, perhaps indented. */
  readonly isPlain: boolean;
  readonly isIndented: boolean;
}

/**
 * The same lines, those of prose cut short, and of a paragraph only the first and the last: which blocks a text has depends
 * on how its lines begin, and the parser takes its time with every character. Kept whole is what also matters further on:
 * what may be a table, HTML or a fence. Throws ParseFailure `nested_too_deep` for a line of very many markers, which would
 * take the parser minutes.
 */
export function abridged(source: string): Abridged {
  const starts = lineStarts(source);
  const lines = starts.map((start, index) => readLine(source, start, starts[index + 1] ?? source.length));
  const kept: number[] = [];
  let isParagraph = false;
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1];
    // After an empty line, what begins in the first column is inside of nothing.
    if (before?.isPlain !== true) isParagraph = before?.isEmpty !== false && !line.isIndented;
    const isInside = isParagraph && line.isPlain && before?.isPlain === true && lines[index + 1]?.isPlain === true;
    if (!isInside) kept.push(index);
  }
  return { text: kept.map((index) => lines[index]?.text ?? '').join(''), lines: kept };
}

function readLine(source: string, start: number, end: number): Line {
  const text = source.slice(start, end);
  const content = text.trimEnd();
  const isEmpty = content === '';
  const indent = text.length - text.trimStart().length;
  let position = 0;
  while (position < content.length && markers.includes(content.charAt(position))) position += 1;
  if (position > deepest) checkDepth(content.slice(0, position), content.length);
  const isProse = /^\p{L}/u.test(content.slice(position, position + 2)) && !/[|<>]/.test(content);
  const shape = { isEmpty, isPlain: isProse && position === indent, isIndented: indent > 0 };
  if (!isProse || position + keptLetters >= content.length) return { text, ...shape };
  return { text: content.slice(0, position + keptLetters) + endingOf(text), ...shape };
}

function checkDepth(beginning: string, length: number): void {
  const depth = beginning.replace(/[^>*+\-.)]/g, '').length;
  // A line of nothing else may be a rule.
  const isRule = beginning.length === length && /^[-*\s]*$/.test(beginning);
  if (depth > deepest && !isRule) throw new ParseFailure('nested_too_deep', `a line begins with ${depth} markers`);
}

function endingOf(line: string): string {
  if (line.endsWith('\r\n')) return '\r\n';
  return line.endsWith('\n') || line.endsWith('\r') ? line.slice(-1) : '';
}
