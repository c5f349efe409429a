import type { FileHandle } from 'node:fs/promises';
import { cutOf, longestLine, openSegment, readBlock, segmentNumbers, type Place } from './segment-walk.ts';

const newline = 0x0a;

/** Behind the last line there is now, as a walk that is at `from` or before would see it; `from` when all is gone. */
export async function endOfLog(folder: string, ended: boolean, from: Place): Promise<Place> {
  for (;;) {
    const segment = (await segmentNumbers(folder)).at(-1);
    if (segment === undefined) return from;
    const handle = await openSegment(folder, segment);
    if (handle === null) continue;
    try {
      const { size } = await handle.stat();
      const least = from.segment === segment ? from.offset : 0;
      return { segment, offset: ended ? size : await endOfLines(handle, size, least) };
    } finally {
      await handle.close();
    }
  }
}

async function endOfLines(handle: FileHandle, size: number, least: number): Promise<number> {
  let end = Math.max(least, await lastLineStart(handle, size));
  // A line that is too long is given out in pieces before it has an end.
  while (size - end > longestLine) end += cutOf(await readBlock(handle, end, longestLine + 1));
  return end;
}

async function lastLineStart(handle: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0;) {
    const from = Math.max(0, end - longestLine);
    const at = (await readBlock(handle, from, end - from)).lastIndexOf(newline);
    if (at !== -1) return from + at + 1;
    end = from;
  }
  return 0;
}

/** Where the last so many lines before `end` begin; fewer where they are more than so many bytes. */
export async function placeBefore(
  folder: string,
  end: Place,
  { lines, bytes }: { readonly lines: number; readonly bytes: number },
): Promise<Place> {
  let found: Place = end;
  let [linesLeft, bytesLeft] = [lines, bytes];
  for (let { segment } = end; segment > 0 && linesLeft > 0 && bytesLeft > 0; segment -= 1) {
    const handle = await openSegment(folder, segment);
    if (handle === null) return found;
    try {
      const size = segment === end.segment ? end.offset : (await handle.stat()).size;
      const from = Math.max(0, size - bytesLeft);
      const block = await readBlock(handle, from, size - from);
      const last = startOfLast(block, linesLeft, from === 0);
      if (last === null) return found;
      found = { segment, offset: from + last.start };
      linesLeft -= last.lines;
      bytesLeft = from === 0 ? bytesLeft - size : 0;
    } finally {
      await handle.close();
    }
  }
  return found;
}

/** Where the last so many lines of a block begin. null: none does, and no piece of a long one that could stand alone. */
function startOfLast(block: Buffer, most: number, isWhole: boolean): { start: number; lines: number } | null {
  let start = block.length;
  for (let lines = 0; lines < most; lines += 1) {
    if (start === 0) return { start, lines };
    // The byte right before `start` ends the line that is looked for.
    const before = start < 2 ? -1 : block.lastIndexOf(newline, start - 2);
    if (before !== -1) start = before + 1;
    else if (isWhole) start = 0;
    else if (start < block.length) return { start, lines };
    else return block.length > longestLine ? { start: cutOf(block), lines: 1 } : null;
  }
  return { start, lines: most };
}
