import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProcess } from '../../../adapters/process/identity.ts';
import { createParserPool } from '../../../adapters/parsers/pool.ts';
import { compileTree } from '../../support/compile.ts';
import { until } from '../../support/box.ts';
import { makePool } from './parser-tests.ts';

let parsers: ReturnType<typeof makePool>;
let unruly: string;
beforeAll(() => {
  parsers = makePool();
  unruly = join(parsers.folder, 'unruly.mjs');
  writeFileSync(unruly, unrulyChild);
});
afterAll(() => parsers.close());

// Does what the name of a document says, as a parser may that a document has got hold of.
const unrulyChild = `
import { existsSync, writeFileSync } from 'node:fs';
const kept = [];
const result = { mediaType: 'text/plain', format: 'text', title: null, text: String(process.pid), blocks: [], places: null };
const does = {
  good() {},
  hang() { for (;;); },
  bytes() { for (;;) kept.push(Buffer.alloc(1_000_000, 1)); },
  heap() { for (;;) kept.push({ kept: kept.length }); },
  exit() { process.exit(3); },
  killed() { process.kill(process.pid, 'SIGKILL'); },
  async wait() { await new Promise((resolve) => setTimeout(resolve, 200)); },
  once(path) {
    if (existsSync(path + '.tried')) return;
    writeFileSync(path + '.tried', '');
    process.exit(3);
  },
};
process.on('disconnect', () => process.exit(0));
process.on('message', async ({ request }) => {
  await does[request.name](request.path);
  process.send({ kind: 'done', result });
});
process.send({ kind: 'ready' });
`;

function unrulyPool(more = {}) {
  const pool = createParserPool({ program: unruly, workers: 2, memoryMb: 256, timeoutMs: 20_000, ...more });
  const path = parsers.staged('any text');
  return { ...pool, does: (name: string, signal?: AbortSignal) => pool.parse({ path, name }, signal) };
}

test.each([
  ['exit', 'crashed', 'ended with 3'],
  ['killed', 'killed', 'killed from outside'],
  ['bytes', 'memory_exceeded', 'more than 256 MiB'],
  ['heap', 'memory_exceeded', 'more than 256 MiB'],
])('W4 a document that makes its process %s is left out as %s, and the pool goes on', async (name, reason, detail) => {
  const pool = unrulyPool();
  const results = await Promise.all(['good', name, 'good', 'good'].map((one) => pool.does(one)));
  expect(results[1]).toMatchObject({ reason, mediaType: 'text/plain' });
  expect(results[1]).toHaveProperty('detail', expect.stringContaining(detail));
  expect(results.filter((result) => 'text' in result)).toHaveLength(3);
  expect(await pool.does('good')).toHaveProperty('text');
  pool.close();
});

test('W4 a document that never ends is left out as timed_out, and the pool goes on', async () => {
  const pool = unrulyPool({ timeoutMs: 300 });
  expect(await pool.does('hang')).toMatchObject({ reason: 'timed_out', detail: 'it took longer than 300 ms' });
  expect(await pool.does('good')).toHaveProperty('text');
  pool.close();
});

test('W4 a process that ends over a document is tried once more', async () => {
  const pool = unrulyPool();
  expect(await pool.does('once')).toHaveProperty('text');
  pool.close();
});

test('a process reads one document after the other', async () => {
  const pool = unrulyPool({ workers: 1 });
  expect(await pool.does('good')).toEqual(await pool.does('good'));
  pool.close();
});

test('what is aborted ends at once with the reason, with its process, and the pool goes on', async () => {
  const pool = unrulyPool({ workers: 1 });
  const abort = new AbortController();
  const hanging = pool.does('hang', abort.signal);
  const waiting = pool.does('wait');
  setTimeout(() => abort.abort(new Error('the wave was cancelled')), 200);
  await expect(hanging).rejects.toThrow('the wave was cancelled');
  expect(await waiting).toHaveProperty('text');
  await expect(pool.does('good', abort.signal)).rejects.toThrow('the wave was cancelled');
  pool.close();
});

test('a closed pool reads nothing any more, and leaves no process', async () => {
  const pool = unrulyPool({ workers: 1 });
  const good = await pool.does('good');
  const hanging = pool.does('hang');
  const queued = pool.does('good');
  setTimeout(() => pool.close(), 200);
  await expect(hanging).rejects.toThrow('closed');
  await expect(queued).rejects.toThrow('closed');
  await until(() => findProcess(Number('text' in good ? good.text : 0)) === null);
});

test('W4 a pool that cannot start is an error of its own, never a quarantine', async () => {
  const broken = join(parsers.folder, 'broken.mjs');
  writeFileSync(broken, 'process.exit(7);');
  for (const program of [broken, join(parsers.folder, 'missing.mjs')]) {
    const pool = createParserPool({ program, workers: 1, memoryMb: 256, timeoutMs: 1_000 });
    await expect(pool.parse({ path: parsers.staged('text'), name: 'a.txt' })).rejects.toThrow(
      /No parser process can be started: it ended with [17]/,
    );
    pool.close();
  }
});

test('W4 a staged file that is gone is an error, never a quarantine', async () => {
  const gone = { path: join(parsers.folder, 'gone'), name: 'a.txt' };
  await expect(parsers.pool.parse(gone)).rejects.toThrow('The staged file cannot be read');
});

const slowTable = `${'|a'.repeat(60_000)}\n${'|-'.repeat(60_000)}\n${'|b'.repeat(60_000)}\n`;

test('W4 the parsers themselves are held to both limits', async () => {
  const hurried = makePool({ timeoutMs: 1_000 });
  expect(await hurried.parse('slow.md', slowTable)).toMatchObject({ reason: 'timed_out', mediaType: 'text/markdown' });
  hurried.close();
  const narrow = makePool({ memoryMb: 128 });
  const wide = `[${'[],'.repeat(3_000_000)}0]`;
  expect(await narrow.parse('wide.json', wide)).toMatchObject({ reason: 'memory_exceeded' });
  narrow.close();
});

test('W4 what is read when the worker is killed ends by itself', async () => {
  const program = compileTree().program('adapters/parsers/parse-process.js');
  const owner = join(parsers.folder, 'owner.mjs');
  const options = JSON.stringify({ program, workers: 1, memoryMb: 512, timeoutMs: 600_000 });
  const request = JSON.stringify({ path: parsers.staged(slowTable), name: 'slow.md' });
  writeFileSync(
    owner,
    `import { createParserPool } from ${JSON.stringify(compileTree().program('adapters/parsers/pool.js'))};
     createParserPool(${options}).parse(${request});`,
  );
  const worker = spawn(process.execPath, [owner], { stdio: 'ignore' });
  await until(() => childrenOf(worker.pid ?? 0).length === 1);
  const [child = 0] = childrenOf(worker.pid ?? 0);
  // It has begun to read once it has used some time.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(findProcess(child)).not.toBeNull();
  worker.kill('SIGKILL');
  await until(() => findProcess(child) === null);
  expect(findProcess(child)).toBeNull();
});

function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => findProcess(pid)?.ppid === parent);
}
