import { styleText } from 'node:util';

/** Data goes to stdout, everything else to stderr. */
export interface Output {
  readonly json: boolean;
  /** A person is at the other end of stdin and stderr. */
  readonly interactive: boolean;
  /** The answer: as JSON, or as lines for people. */
  readonly data: (value: unknown, lines: readonly string[]) => void;
  readonly message: (line: string) => void;
  readonly paint: (style: Style, text: string) => string;
}

type Style = 'green' | 'red' | 'yellow' | 'dim' | 'bold';

// What services and their logs say is shown too: it may colour, but not move the cursor or set the window's title.
const control = new RegExp(String.raw`(?!\x1b\[[\d;]*m)(?![\n\t])\p{Cc}`, 'gu');
const plain = (line: string): string => line.replace(control, '\ufffd');

export function createOutput(json: boolean, wantsColour: boolean): Output {
  const colour = wantsColour && process.stderr.isTTY && process.stdout.isTTY;
  return {
    json,
    interactive: process.stdin.isTTY && process.stderr.isTTY,
    data(value, lines) {
      process.stdout.write(json ? `${JSON.stringify(value)}\n` : lines.map((line) => `${plain(line)}\n`).join(''));
    },
    message: (line) => void process.stderr.write(`${plain(line)}\n`),
    paint: (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text),
  };
}

/** Columns as wide as what stands in them. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
