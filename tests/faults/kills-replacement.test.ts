import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createReplacement } from '../../adapters/restore/replace-contents.ts';
import { packageRoot } from '../../infra/package-root.ts';
import {
  bindMounted,
  newTree,
  oldTree,
  readTree,
  writeTree,
  type BindMounted,
} from '../adapters/restore/bind-mounted.ts';
import { compileTree } from '../support/compile.ts';
import { createRandom, fullSize } from '../support/proof-size.ts';

jest.setTimeout(600_000);

type Wish = 'begin' | 'ready' | 'replace' | 'undo' | 'finish';

const { root: tree } = compileTree();
const id = '0a1b2c3d-0000-4000-8000-000000000000';
const never = new AbortController().signal;
let bound: BindMounted;
let inode: number;
beforeEach(() => {
  bound = bindMounted();
  inode = bound.inode();
  writeTree(bound.root, oldTree);
});
afterEach(() => bound.close());

/** Returns how many changes it made; null: it was killed before the nth. */
async function inProcess(wish: Wish, nth = 0): Promise<number | null> {
  const program = join(packageRoot, 'tests/support/replace-and-die.js');
  const child = spawn(process.execPath, [program, tree, bound.root, id, wish, String(nth)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  await once(child, 'close');
  return child.signalCode === 'SIGKILL' ? null : Number(said);
}

async function unpacked(): Promise<void> {
  const replacement = createReplacement(bound.root, id);
  writeTree(await replacement.begin(), newTree);
  await replacement.ready(never);
}

/** One side, whole, in the same folder, and nothing left of the other. */
async function expectOnly(side: typeof oldTree): Promise<void> {
  await createReplacement(bound.root, id).finish();
  expect(readTree(bound.source)).toEqual(side);
  expect(readdirSync(bound.source).filter((name) => name.startsWith('.holdfast'))).toEqual([]);
  expect(bound.inode()).toBe(inode);
}

/** From what is there back to the old contents. */
async function afresh(): Promise<void> {
  const replacement = createReplacement(bound.root, id);
  if ((await replacement.state()) !== 'finishing') await replacement.undo();
  await replacement.finish();
  for (const name of readdirSync(bound.root)) if (!(name in oldTree)) throw new Error(`${name} is left`);
}

/** All of them at full size; else those that change something others see, and some of the rest. */
function points(count: number): number[] {
  const all = Array.from({ length: count }, (_, index) => index + 1);
  const random = createRandom();
  return fullSize ? all : all.filter(() => random() < 0.2);
}

/** Each at full size; else each third, from another one each time. */
const stride = fullSize ? 1 : 3;
const first = (): number => 1 + Math.floor(createRandom()() * stride);

test('B7 SIGKILL before each change while it replaces: finished, it is all new', async () => {
  await unpacked();
  const changes = (await inProcess('replace')) ?? 0;
  expect(changes).toBeGreaterThan(15);
  await createReplacement(bound.root, id).undo();
  await expectOnly(oldTree);
  for (const nth of points(changes)) {
    await unpacked();
    expect(await inProcess('replace', nth)).toBeNull();
    await createReplacement(bound.root, id).replace();
    expect([nth, readTree(bound.root)]).toEqual([nth, newTree]);
    await afresh();
    expect([nth, readTree(bound.root)]).toEqual([nth, oldTree]);
  }
});

test('B7 SIGKILL before each change while it replaces, and again while it is undone: undone, it is all old', async () => {
  const random = createRandom();
  await unpacked();
  const changes = (await inProcess('replace')) ?? 0;
  await afresh();
  for (const nth of points(changes)) {
    await unpacked();
    expect(await inProcess('replace', nth)).toBeNull();
    // Any of what the way back takes from there; where it is shorter, it is through.
    await inProcess('undo', 1 + Math.floor(random() * 12));
    await createReplacement(bound.root, id).undo();
    expect([nth, readTree(bound.root)]).toEqual([nth, oldTree]);
    await expectOnly(oldTree);
  }
});

test('B7 SIGKILL while the new contents are made: nothing is seen of them, and it begins again', async () => {
  for (const wish of ['begin', 'ready'] as const) {
    for (let nth = first(); ; nth += stride) {
      if (wish === 'ready') writeTree(await createReplacement(bound.root, id).begin(), newTree);
      const changes = await inProcess(wish, nth);
      expect(readTree(bound.root)).toEqual(oldTree);
      if (changes !== null) break;
      expect(['unpacking', null]).toContain(await createReplacement(bound.root, id).state());
    }
    await afresh();
  }
  await expectOnly(oldTree);
});

test('B7 SIGKILL while one side is deleted: the other one is whole, and the rest is deleted then', async () => {
  for (let nth = first(); ; nth += stride) {
    await unpacked();
    await createReplacement(bound.root, id).replace();
    const changes = await inProcess('finish', nth);
    expect(readTree(bound.root)).toEqual(newTree);
    await expectOnly(newTree);
    for (const name of readdirSync(bound.root)) bound.remove(name);
    writeTree(bound.root, oldTree);
    if (changes !== null) break;
  }
});
