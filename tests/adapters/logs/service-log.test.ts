import { BadCursor } from '../../../adapters/logs/cursor.ts';
import { createServiceLog } from '../../../adapters/logs/service-log.ts';
import { logPageSchema } from '../../../domain/log.ts';
import { modelService } from './model-service.ts';

const read = async (log: ReturnType<typeof modelService>['log'], cursor: string | null, limit = 10) =>
  logPageSchema.parse(await log.read('web', cursor, limit));

test('D14 before anything ever ran there is a cursor, from which everything is read', async () => {
  const { log, start } = modelService();
  const nothing = await read(log, null);
  expect(nothing).toMatchObject({ logs: [], truncated: false, has_more: false, epoch: null });
  expect(new Set([nothing.cursor, nothing.start_cursor, nothing.end_cursor]).size).toBe(1);
  expect(await read(log, nothing.cursor)).toEqual(nothing);
  start().count = 3;
  expect(await read(log, nothing.cursor)).toMatchObject({ logs: ['2.0', '2.1', '2.2'], epoch: 'i2.candidate' });
});

test('D14 without a cursor: the last lines, and the cursor is the end', async () => {
  const { log, start } = modelService();
  const one = start();
  one.count = 5;
  const last = await read(log, null, 2);
  expect(last).toMatchObject({ logs: ['2.3', '2.4'], truncated: false, has_more: false, epoch: 'i2.candidate' });
  expect(last.end_cursor).toBe(last.cursor);
  expect((await read(log, last.start_cursor)).logs).toEqual(last.logs);
  expect(await read(log, last.cursor)).toMatchObject({ logs: [], has_more: false, truncated: false });
  one.count = 6;
  expect((await read(log, last.cursor)).logs).toEqual(['2.5']);
});

test('D14 with one: from there on, has_more while it is before the end', async () => {
  const { log, start } = modelService();
  const { cursor } = await read(log, null);
  start().count = 5;
  const first = await read(log, cursor, 2);
  expect(first).toMatchObject({ logs: ['2.0', '2.1'], has_more: true });
  const second = await read(log, first.cursor, 3);
  expect(second).toMatchObject({ logs: ['2.2', '2.3', '2.4'], start_cursor: first.cursor, has_more: false });
  expect(first.end_cursor).toBe(second.cursor);
});

test('D14 the next start of the service is another epoch, and no line is missing', async () => {
  const { log, start } = modelService();
  const { cursor } = await read(log, null);
  const old = start();
  old.count = 2;
  const first = await read(log, cursor);
  const next = start();
  next.count = 1;
  old.running = false;
  // The end is behind another start now.
  expect(await read(log, first.start_cursor, 2)).toMatchObject({ logs: ['2.0', '2.1'], has_more: true });
  const second = await read(log, first.cursor);
  expect(second).toMatchObject({ logs: ['4.0'], epoch: 'i4.candidate', truncated: false, has_more: false });
});

test('D14 an old start that still runs beside the new one is read to its end before it is left', async () => {
  const { log, start } = modelService();
  const { cursor } = await read(log, null);
  const old = start();
  old.count = 2;
  const first = await read(log, cursor);
  start().count = 1;
  const beside = await read(log, first.cursor);
  // Nothing more can be had now; a client that asks as long as there is more would ask all the time.
  expect(beside).toMatchObject({ logs: [], epoch: 'i2.candidate', has_more: false });
  expect(beside.end_cursor).toBe(beside.cursor);
  old.count = 3;
  expect((await read(log, beside.cursor)).logs).toEqual(['2.2']);
  old.count = 4;
  old.running = false;
  const last = await read(log, (await read(log, beside.cursor)).cursor);
  expect(last).toMatchObject({ logs: ['4.0'], truncated: false });
});

test('D14 what it says right before it ends is read, however late', async () => {
  const { log, start, meanwhile } = modelService();
  const { cursor } = await read(log, null);
  const old = start();
  start().count = 1;
  // Listed; asked whether it runs, which it does; then it speaks once more and ends.
  meanwhile.push(
    () => undefined,
    () => {
      old.count = 1;
      old.running = false;
    },
  );
  const first = await read(log, cursor);
  expect(first.logs).toEqual(['2.0']);
  expect((await read(log, first.cursor)).logs).toEqual(['4.0']);
});

test('D14 a candidate beside the service does not hide its log, and one that was given up follows it', async () => {
  const { log, start } = modelService();
  const serving = start();
  serving.count = 2;
  const candidate = start(false);
  candidate.count = 1;
  expect(await read(log, null)).toMatchObject({ epoch: 'i2.candidate', logs: ['2.0', '2.1'] });
  candidate.running = false;
  expect(await read(log, null)).toMatchObject({ epoch: 'i2.candidate' });
  serving.running = false;
  expect(await read(log, null)).toMatchObject({ epoch: 'i4.candidate', logs: ['4.0'] });
});

test('D14 a log that is gone: on with the oldest that is there, truncated', async () => {
  const { log, start } = modelService();
  const { cursor } = await read(log, null);
  const [one, two] = [start(), start()];
  [one.count, two.count] = [2, 2];
  start().count = 1;
  one.running = two.running = false;
  const first = await read(log, cursor, 1);
  one.pruned = two.pruned = true;
  const second = await read(log, first.cursor);
  expect(second).toMatchObject({ logs: ['6.0'], truncated: true, epoch: 'i6.candidate' });
  expect(await read(log, second.cursor)).toMatchObject({ truncated: false });
});

test('D14 rows that are gone with their logs: on with what there is, truncated', async () => {
  const { log, start, instances } = modelService();
  const { cursor } = await read(log, null);
  start().count = 1;
  const first = await read(log, cursor);
  start().count = 1;
  instances.shift();
  expect(await read(log, first.cursor)).toMatchObject({ logs: ['4.0'], truncated: true, epoch: 'i4.candidate' });
});

test('D14 a driver without logs has none, and that is no failure', async () => {
  const { instances, start } = modelService();
  start();
  const log = createServiceLog({
    instances: { list: async () => instances.map(({ row }) => row) },
    sourceOf: () => null,
    isRunning: async () => true,
  });
  const none = await read(log, null);
  expect(none).toMatchObject({ logs: [], has_more: false, epoch: 'i2.candidate' });
  expect(await read(log, none.cursor)).toEqual(none);
});

describe('D14 bad cursors', () => {
  const { log, start } = modelService();
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  start().count = 2;
  test.each([
    ['nothing', ''],
    ['not base64', '%%%'],
    ['not JSON', Buffer.from('{').toString('base64url')],
    ['another form', encode({ service: 'web' })],
    ['another version', encode([2, 'web', 2, 'i2.candidate', '0'])],
    ['another service', encode([1, 'other', 2, 'i2.candidate', '0'])],
    ['one thing more', encode([1, 'web', 2, 'i2.candidate', '0', 0])],
    ['an instance that is another', encode([1, 'web', 2, 'i4.candidate', '0'])],
    ['no instance at all', encode([1, 'web', 2, null, ''])],
    ['a place before all instances', encode([1, 'web', 0, null, '0'])],
    ['a negative order', encode([1, 'web', -1, 'i2.candidate', '0'])],
    ['an order that is no number', encode([1, 'web', '2', 'i2.candidate', '0'])],
    ['a place that its log never gave', encode([1, 'web', 2, 'i2.candidate', '7'])],
    ['something behind it', `${encode([1, 'web', 2, 'i2.candidate', '0'])}.x`],
    ['white space', Buffer.from('[1, "web", 2, "i2.candidate", "0"]').toString('base64url')],
  ])('%s is refused', async (_what, cursor) => {
    await expect(log.read('web', cursor, 5)).rejects.toThrow(BadCursor);
  });

  test('the same with nothing wrong is not', async () => {
    expect((await log.read('web', encode([1, 'web', 2, 'i2.candidate', '1']), 5)).logs).toEqual(['2.1']);
  });
});
