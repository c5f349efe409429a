import fc from 'fast-check';
import { BadPosition } from '../../../adapters/drivers/log-source.ts';
import { createProcessLogs } from '../../../adapters/process/log-reader.ts';
import { createLogFolders, type OwnLog } from '../../support/own-log.ts';

const folders = createLogFolders();
const logs = createProcessLogs({ root: folders.root });
afterAll(() => folders.close());

const roomy = { segment_bytes: 1_000_000, segments: 5 };
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `line ${from + index}`);
const text = (from: number, to: number) =>
  lines(from, to)
    .map((line) => `${line}\n`)
    .join('');

function written(content: string | Buffer, limits = roomy): OwnLog {
  const log = folders.begin(limits);
  log.write(content);
  return log;
}

describe('D14 reading on', () => {
  test('from the first line, in pieces, to the end; and on when there is more', async () => {
    const log = written(text(0, 5));
    const first = await logs.read(log.name, null, 3);
    expect(first).toEqual({
      ...{ lines: lines(0, 3), start: '1:0', next: '1:21', end: '1:35', truncated: false, more: true },
      lost_end: false,
    });
    const second = await logs.read(log.name, first.next, 3);
    expect(second).toMatchObject({ lines: lines(3, 5), start: '1:21', next: '1:35', end: '1:35', more: false });
    expect(await logs.read(log.name, second.next, 3)).toMatchObject({
      lines: [],
      start: '1:35',
      next: '1:35',
      more: false,
    });
    log.write(text(5, 6));
    expect(await logs.read(log.name, second.next, 3)).toMatchObject({ lines: lines(5, 6), truncated: false });
  });

  test('a line without its newline waits for it, unless the instance has ended', async () => {
    const log = written('whole\nhal');
    const page = await logs.read(log.name, null, 9);
    expect(page).toMatchObject({ lines: ['whole'], next: '1:6', end: '1:6', more: false });
    expect(await logs.tail(log.name, 9)).toMatchObject({ lines: ['whole'], next: '1:6', end: '1:6' });
    log.write('f\nthe rest');
    const half = await logs.read(log.name, page.next, 9);
    expect(half.lines).toEqual(['half']);
    log.end();
    const rest = await logs.read(log.name, half.next, 9);
    expect(rest).toMatchObject({ lines: ['the rest'], more: false, lost_end: false });
    expect(await logs.read(log.name, rest.next, 9)).toMatchObject({ lines: [], truncated: false });
    expect(await logs.tail(log.name, 1)).toMatchObject({ lines: ['the rest'], next: rest.next });
  });

  test('the last line is not had before its keeper, which may still write, is gone', async () => {
    const log = written('hal');
    expect(await logs.isRunning(log.name)).toBe(true);
    log.end();
    expect(await logs.isRunning(log.name)).toBe(false);
  });

  test('over segments, without a word about them; rotated away before it was read: truncated', async () => {
    const small = { segment_bytes: 70, segments: 3 };
    const log = written(text(0, 10), small);
    const first = await logs.read(log.name, null, 4);
    expect(first).toMatchObject({ lines: lines(0, 4), truncated: false });
    log.write(text(10, 40));
    const second = await logs.read(log.name, first.next, 100);
    expect(second.truncated).toBe(true);
    expect(second.lines).toEqual(lines(40 - second.lines.length, 40));
    log.write(text(40, 42));
    const third = await logs.read(log.name, second.next, 100);
    expect(third).toMatchObject({ lines: lines(40, 42), truncated: false });
    expect(await logs.read(log.name, null, 1)).toMatchObject({ truncated: true });
  });

  test('what was read to its end before it was rotated away is not missing', async () => {
    const log = written(text(0, 4), { segment_bytes: 7, segments: 2 });
    const page = await logs.read(log.name, null, 9);
    log.write(text(4, 5));
    expect(await logs.read(log.name, page.next, 9)).toMatchObject({ lines: lines(4, 5), truncated: false });
  });

  test('an answer has no hole in its middle: it ends before what the keeper says is missing', async () => {
    const note = '[holdfast] 7 lines could not be written and are lost';
    const taken = '[holdfast] another keeper took over; the line before this one may be incomplete';
    const log = written(`a\n${note}\nb\n${taken}\nc\n`);
    const pages = [await logs.read(log.name, null, 9)];
    while (pages.at(-1)?.more === true) pages.push(await logs.read(log.name, pages.at(-1)?.next ?? '', 9));
    expect(pages.map((page) => [page.truncated, page.lines])).toEqual([
      [false, ['a']],
      [true, [note, 'b']],
      [true, [taken, 'c']],
    ]);
  });

  test('a log that was removed is gone, and says so', async () => {
    const log = written(text(0, 3));
    const { next } = await logs.read(log.name, null, 2);
    log.end();
    log.remove();
    const gone = await logs.read(log.name, next, 2);
    expect(gone).toMatchObject({ lines: [], start: '1:0', next: '1:0', end: '1:0', truncated: true, lost_end: true });
    expect(await logs.read(log.name, gone.next, 2)).toMatchObject({ lines: [], truncated: false, lost_end: true });
    expect(await logs.tail(log.name, 2)).toMatchObject({ lines: [], next: '1:0', lost_end: true });
  });

  test('a keeper that died with its program could not write everything', async () => {
    const log = written(text(0, 3));
    log.end(false);
    expect(await logs.read(log.name, null, 9)).toMatchObject({ lines: lines(0, 3), lost_end: true });
  });
});

describe('D14 the last lines', () => {
  test.each([1, 3, 12, 25, 100])('%i of 25, over segments, where reading on begins', async (limit) => {
    const log = written(text(0, 25), { segment_bytes: 50, segments: 100 });
    const page = await logs.tail(log.name, limit);
    expect(page.lines).toEqual(lines(Math.max(0, 25 - limit), 25));
    expect(page).toMatchObject({ truncated: false, more: false, end: page.next });
    log.write(text(25, 26));
    expect((await logs.read(log.name, page.next, 9)).lines).toEqual(lines(25, 26));
    expect((await logs.read(log.name, page.start, page.lines.length)).lines).toEqual(page.lines);
  });

  test('of nothing there are none', async () => {
    const log = folders.begin(roomy);
    expect(await logs.tail(log.name, 5)).toMatchObject({ lines: [], start: '1:0', next: '1:0', more: false });
  });

  test('of very much only so much as fits into memory', async () => {
    const log = written(`${'x'.repeat(999)}\n`.repeat(4_000), { segment_bytes: 1_500_000, segments: 9 });
    const { lines: last, start } = await logs.tail(log.name, 1_000_000);
    expect(last.length).toBeGreaterThan(1_000);
    expect(last.length).toBeLessThan(1_100);
    expect((await logs.read(log.name, start, 1)).lines).toEqual(['x'.repeat(999)]);
  });
});

describe('D14 lines without end', () => {
  test('come in pieces that join to what was written, with characters whole, also while they grow', async () => {
    const long = '\u{1f600}é'.repeat(60_000);
    const log = written(long.slice(0, 90_000));
    const growing = await logs.read(log.name, null, 99);
    expect(growing.lines.length).toBeGreaterThan(0);
    expect(growing).toMatchObject({ more: false, end: growing.next });
    log.write(`${long.slice(90_000)}\nnext\n`);
    const rest = await logs.read(log.name, growing.next, 99);
    const pieces = [...growing.lines, ...rest.lines];
    expect(pieces.at(-1)).toBe('next');
    expect(pieces.slice(0, -1).join('')).toBe(long);
    for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(65_536);
    const { lines: tail, start } = await logs.tail(log.name, 2);
    expect(tail).toEqual(pieces.slice(-2));
    expect((await logs.read(log.name, start, 99)).lines).toEqual(tail);
  });

  test('an answer stops at a megabyte, and any place in between can be gone on from', async () => {
    const log = written('y'.repeat(5_000_000), { segment_bytes: 1_000_000, segments: 9 });
    log.end();
    const pieces: string[] = [];
    for (let [at, more]: [string | null, boolean] = [null, true]; more;) {
      const page = await logs.read(log.name, at, 1_000);
      expect(page.lines.join('').length).toBeLessThanOrEqual(1_048_576);
      expect(page.truncated).toBe(false);
      pieces.push(...page.lines);
      [at, more] = [page.next, page.more];
    }
    expect(pieces.join('')).toBe('y'.repeat(5_000_000));
    const { start } = await logs.tail(log.name, 1_000);
    expect((await logs.read(log.name, start, 1)).lines).toHaveLength(1);
  });

  test('what is not text is shown as such and moves nothing', async () => {
    const log = written(Buffer.concat([Buffer.alloc(70_000, 0xbf), Buffer.from('\nafter\n')]));
    const page = await logs.read(log.name, null, 9);
    expect(page.lines.map((line) => line.length)).toEqual([65_536, 70_000 - 65_536, 5]);
  });
});

describe('D14 bad positions', () => {
  const log = written(text(0, 5));
  test.each([
    '',
    'x',
    '1',
    '1:',
    ':1',
    '1:-1',
    '01:0',
    '1:00',
    '1:0 ',
    '0:0',
    '2:0',
    '1:36',
    '1:8',
    '1:34',
    '1e1:0',
    '99999999999:0',
  ])('%j is refused', async (position) => {
    await expect(logs.read(log.name, position, 5)).rejects.toThrow(BadPosition);
  });

  test('names that lead elsewhere are refused', async () => {
    await expect(logs.read({ service: 'web', instance: '../x' }, null, 5)).rejects.toThrow('Not the name');
    await expect(logs.tail({ service: '../web', instance: 'x' }, 5)).rejects.toThrow('Not the name');
  });
});

test('D14 whatever is written, rotated and read when: every line once and in order, or truncated says so', async () => {
  const write = fc.record({ kind: fc.constant('write' as const), count: fc.integer({ min: 1, max: 30 }) });
  const read = fc.record({ kind: fc.constant('read' as const), limit: fc.integer({ min: 1, max: 40 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(write, read), { maxLength: 40 }),
      fc.record({ segment_bytes: fc.integer({ min: 20, max: 200 }), segments: fc.integer({ min: 1, max: 4 }) }),
      fc.integer({ min: 1, max: 9 }),
      async (steps, limits, torn) => {
        const log = folders.begin(limits);
        const seen = { at: null as string | null, expected: 0, warned: false };
        let count = 0;
        const look = async (limit: number) => {
          const page = await logs.read(log.name, seen.at, limit);
          const numbers = page.lines.map((line) => Number(line.slice(5)));
          expect(page.lines).toEqual(numbers.map((number) => `line ${number}`));
          const from = numbers[0] ?? seen.expected;
          expect(numbers).toEqual(lines(from, from + numbers.length).map((line) => Number(line.slice(5))));
          seen.warned ||= page.truncated;
          if (seen.warned) expect(from).toBeGreaterThanOrEqual(seen.expected);
          else expect(from).toBe(seen.expected);
          // An answer without lines says it of what comes next.
          if (numbers.length > 0) seen.warned = false;
          seen.expected = from + numbers.length;
          if (!page.more) expect(page.end).toBe(page.next);
          seen.at = page.next;
          return page.more;
        };
        for (const step of steps) {
          if (step.kind === 'read') {
            await look(step.limit);
            continue;
          }
          // Pipes tear lines anywhere.
          const bytes = Buffer.from(text(count, count + step.count));
          for (let at = 0; at < bytes.length; at += torn * 7) log.write(bytes.subarray(at, at + torn * 7));
          count += step.count;
        }
        log.end();
        while (await look(7));
        if (!seen.warned) expect(seen.expected).toBe(count);
        log.remove();
      },
    ),
    { numRuns: 300 },
  );
});

test('D14 a reader beside a writer that rotates all the time: nothing twice, and what is missing is said', async () => {
  const log = folders.begin({ segment_bytes: 300, segments: 2 });
  let [count, expected, gaps, warned] = [0, 0, 0, false];
  let at: string | null = null;
  for (let turn = 0; turn < 400; turn += 1) {
    const reading = logs.read(log.name, at, 50);
    for (let burst = 0; burst < 6; burst += 1) {
      log.write(text(count, (count += 7)));
      await new Promise(setImmediate);
    }
    const page = await reading;
    const numbers = page.lines.map((line) => Number(line.slice(5)));
    const first = numbers[0] ?? expected;
    expect(numbers).toEqual(numbers.map((_, index) => first + index));
    if (page.truncated) gaps += 1;
    warned ||= page.truncated;
    if (!warned) expect(first).toBe(expected);
    if (numbers.length > 0) warned = false;
    expect(first).toBeGreaterThanOrEqual(expected);
    expected = first + numbers.length;
    at = page.next;
  }
  expect(gaps).toBeGreaterThan(0);
  expect(expected).toBeGreaterThan(100);
});
