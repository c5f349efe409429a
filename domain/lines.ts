const lineFeed = 10;
const carriageReturn = 13;

/** Where each line of a text begins, also an empty last one. A line ends with LF, CR LF, or a CR of its own. */
export function lineStarts(text: string, start = 0, end = text.length): number[] {
  const starts = [start];
  for (let position = start; position < end; position += 1) {
    const code = text.charCodeAt(position);
    if (code !== lineFeed && code !== carriageReturn) continue;
    if (code === carriageReturn && position + 1 < end && text.charCodeAt(position + 1) === lineFeed) position += 1;
    starts.push(position + 1);
  }
  return starts;
}

/** Which of ascending starts an offset belongs to: the index of the last one that is not after it. */
export function indexAt(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
