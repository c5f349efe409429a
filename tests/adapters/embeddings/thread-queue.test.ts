import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packagedModel } from '../../../adapters/embeddings/local-models.ts';
import { createThreadQueue, type ThreadQueue } from '../../../adapters/embeddings/thread-queue.ts';

// Threads that end of themselves, which the real model's does not: a program that does what each text says.
const program = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { existsSync, appendFileSync } = require('node:fs');
  const { join } = require('node:path');
  appendFileSync(join(workerData.folder, 'starts'), '.');
  if (existsSync(join(workerData.folder, 'broken'))) throw new Error('cannot be loaded');
  parentPort.postMessage({ ready: true });
  parentPort.on('message', (question) => {
    if (question === null) return parentPort.close();
    const { id, text } = question;
    if (text === 'refused') return parentPort.postMessage({ id, error: 'not this text' });
    if (text === 'poison') process.exit(3);
    const bad = join(workerData.folder, 'once');
    if (text === 'once' && !existsSync(bad)) { appendFileSync(bad, ''); throw new Error('this time'); }
    setTimeout(() => parentPort.postMessage({ id, vector: Float32Array.of(text.length) }), 2);
  });`;
const never = new AbortController().signal;
let folder: string;
let queue: ThreadQueue;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-thread-'));
  writeFileSync(join(folder, 'thread.cjs'), program);
  queue = createThreadQueue(join(folder, 'thread.cjs'), { folder, model: packagedModel, threads: 1 });
});
afterEach(async () => {
  await queue.close();
  rmSync(folder, { recursive: true });
});

const lengths = async (texts: readonly string[]): Promise<(number | undefined)[]> =>
  (await queue.embed(texts, 'passage', never)).map(([length]) => length);

test('a thread that ended is started again, and what it had is done again', async () => {
  await expect(lengths(['a', 'once', 'ccc', 'dd'])).resolves.toEqual([1, 4, 3, 2]);
});

test('a text that takes one thread after the other down is given up, and no other is', async () => {
  const [poison, ...others] = await Promise.allSettled([lengths(['poison']), lengths(['a', 'bb']), lengths(['ccc'])]);
  expect(poison).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(/ended/) as unknown } });
  expect(others).toEqual([
    { status: 'fulfilled', value: [1, 2] },
    { status: 'fulfilled', value: [3] },
  ]);
});

test('a text that fails fails alone, and its thread goes on', async () => {
  await expect(lengths(['refused'])).rejects.toThrow('not this text');
  await expect(lengths(['after'])).resolves.toEqual([5]);
});

test('a thread that cannot start rejects what waits, once, and is tried again with the next text', async () => {
  writeFileSync(join(folder, 'broken'), '');
  const asked = await Promise.allSettled([lengths(['a']), lengths(['bb', 'cc']), queue.ready()]);
  expect(asked.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  rmSync(join(folder, 'broken'));
  await expect(lengths(['ccc'])).resolves.toEqual([3]);
});

test('what was aborted before its turn is never sent', async () => {
  const abort = new AbortController();
  const asked = queue.embed(['a', 'b', 'poison', 'poison'], 'passage', abort.signal);
  abort.abort(new Error('enough'));
  await expect(asked).rejects.toThrow('enough');
  await expect(lengths(['after'])).resolves.toEqual([5]);
});
